import { useState } from 'preact/hooks';
import { visibleJson } from '../visible-text.ts';

/** A document for reading, and for copying as it is. */
export function JsonText({ value, label }: { readonly value: unknown; readonly label: string }) {
  const [copied, setCopied] = useState('');
  const copy = () => {
    navigator.clipboard.writeText(JSON.stringify(value, null, 2)).then(
      () => setCopied('Copied.'),
      () => setCopied('The browser does not let this page copy: mark the text.'),
    );
  };
  return (
    <>
      <pre>{visibleJson(value)}</pre>
      <p>
        <button type="button" onClick={copy}>
          Copy {label}
        </button>{' '}
        <span role="status">{copied}</span>
      </p>
    </>
  );
}
