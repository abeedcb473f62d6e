import { visibleJson } from '../visible-text.ts';
import { CopyButton } from './copy-text.tsx';

/** A document for reading; what is copied is what is seen, and means the same. */
export function JsonText({ value, label }: { readonly value: unknown; readonly label: string }) {
  const text = visibleJson(value);
  return (
    <>
      <pre>{text}</pre>
      <CopyButton text={text} what={label} />
    </>
  );
}
