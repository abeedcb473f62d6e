import { useState } from 'preact/hooks';

/** A line to be pasted elsewhere. */
export function CopyText({ text }: { readonly text: string }) {
  return (
    <>
      <pre>{text}</pre>
      <CopyButton text={text} what="the query" />
    </>
  );
}

/** `text` goes to the clipboard as it is. */
export function CopyButton({ text, what }: { readonly text: string; readonly what: string }) {
  const [copied, setCopied] = useState('');
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setCopied('Copied.');
    } catch {
      // Nor is there a clipboard at all where the page came in the clear.
      setCopied('The browser does not let this page copy: mark the text.');
    }
  };
  return (
    <p>
      <button type="button" onClick={() => void copy()}>
        Copy {what}
      </button>{' '}
      <span role="status">{copied}</span>
    </p>
  );
}
