/** JSON text in printable ASCII, and line feeds between its members: equal in meaning, harmless to print. */
export function asciiJson(json: string): string {
  return printableAscii.test(json) ? json : json.replace(/[^\n\x20-\x7e]/g, escapeUnit);
}

/** A value on one line, as `asciiJson` has it. */
export function jsonLine(value: unknown): string {
  return `${asciiJson(JSON.stringify(value))}\n`;
}

const printableAscii = /^[\n\x20-\x7e]*$/;

function escapeUnit(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
