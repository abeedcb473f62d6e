/** openapi.yaml as one page to read: no script, nothing from elsewhere, every text escaped. It sends no requests. */

import { parse } from 'yaml';

const methods = ['get', 'put', 'post', 'delete'];

/** The page. `style` and `icon` are the names of files beside it. */
export function apiReference(text, { style, icon }) {
  const { info, tags, paths, components } = parse(text);
  const operations = Object.entries(paths).flatMap(([path, item]) =>
    methods
      .filter((method) => item[method] !== undefined)
      .map((method) => ({ path, method, inPath: item.parameters ?? [], ...item[method] })),
  );
  const ofTag = ({ name }) => operations.filter((operation) => operation.tags.includes(name));
  const resolved = (part) => {
    const [, kind, name] = /^#\/components\/(\w+)\/(\w+)$/.exec(part.$ref ?? '') ?? [];
    return name === undefined ? part : components[kind][name];
  };
  const parts = [
    prose(info.description),
    '<nav><ul>',
    ...tags.map(({ name }) => `<li><a href="#${escaped(name)}">${escaped(name)}</a></li>`),
    '<li><a href="#schemas">schemas</a></li><li><a href="openapi.yaml">openapi.yaml</a></li></ul></nav>',
    ...tags.flatMap((tag) => [
      `<h2 id="${escaped(tag.name)}">${escaped(tag.name)}</h2>`,
      prose(tag.description),
      ...ofTag(tag).map((operation) => operationPart(operation, resolved)),
    ]),
    '<h2 id="schemas">schemas</h2>',
    ...Object.entries(components.schemas).map(([name, schema]) => schemaPart(name, schema)),
  ];
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>${escaped(info.title)}: the API</title>
    <link rel="icon" type="image/svg+xml" href="${escaped(icon)}">
    <link rel="stylesheet" href="${escaped(style)}">
  </head>
  <body>
    <main>
<h1>${escaped(info.title)} ${escaped(info.version)}</h1>
${parts.join('\n')}
    </main>
  </body>
</html>
`;
}

function operationPart(operation, resolved) {
  const {
    path,
    method,
    operationId,
    summary,
    description = '',
    inPath,
    parameters = [],
  } = operation;
  const { requestBody, responses, 'x-error-codes': errorCodes } = operation;
  const listed = [...inPath, ...parameters].map(resolved);
  return [
    `<section id="${escaped(operationId)}">`,
    `<h3><code>${method.toUpperCase()} ${escaped(path)}</code></h3>`,
    `<p>${escaped(summary)}.</p>`,
    prose(description),
    table(
      ['parameter', 'in', 'type', 'meaning'],
      listed.map((one) => [
        `<code>${escaped(one.name)}</code>${one.required ? ', required' : ''}`,
        escaped(one.in),
        typeOf(one.schema),
        inline(one.description ?? ''),
      ]),
    ),
    ...Object.entries(requestBody?.content ?? {}).map(
      ([type, { schema }]) => `<p>Body: <code>${escaped(type)}</code>, ${typeOf(schema)}</p>`,
    ),
    table(
      ['status', 'body', 'meaning'],
      Object.entries(responses)
        .map(([status, response]) => [status, resolved(response)])
        .map(([status, { description: meaning, content = {} }]) => [
          status,
          Object.entries(content)
            .map(([type, { schema }]) => `<code>${escaped(type)}</code> ${typeOf(schema)}`)
            .join('<br>'),
          // The codes of all operations with that status follow there; those of this one are below.
          inline(meaning.split(/\bCodes: /)[0]),
        ]),
    ),
    `<p>Error codes: ${errorCodes.map((code) => `<code>${escaped(code)}</code>`).join(' ')}</p>`,
    '</section>',
  ].join('\n');
}

function schemaPart(name, schema) {
  const { description = '', properties = {}, required = [] } = schema;
  return [
    `<section id="schema-${escaped(name)}">`,
    `<h3>${escaped(name)}</h3>`,
    prose(description),
    Object.keys(properties).length === 0 ? `<p>${typeOf(schema)}</p>` : '',
    table(
      ['member', 'type', 'meaning'],
      Object.entries(properties).map(([member, one]) => [
        `<code>${escaped(member)}</code>${required.includes(member) ? ', required' : ''}`,
        typeOf(one),
        inline(one.description ?? ''),
      ]),
    ),
    '</section>',
  ].join('\n');
}

const bounds = ['format', 'enum', 'pattern', 'default', 'nullable'];
const limits = ['minimum', 'maximum', 'minLength', 'maxLength', 'minItems', 'maxItems'];

function typeOf(schema) {
  const [, name] = /^#\/components\/schemas\/(\w+)$/.exec(schema.$ref ?? '') ?? [];
  if (name !== undefined) return `<a href="#schema-${escaped(name)}">${escaped(name)}</a>`;
  const of = schema.type === 'array' ? ` of ${typeOf(schema.items)}` : '';
  const said = [...bounds, ...limits]
    .filter((keyword) => schema[keyword] !== undefined)
    .map((keyword) => `, ${keyword} <code>${escaped(JSON.stringify(schema[keyword]))}</code>`);
  return `${escaped(schema.type ?? 'anything')}${of}${said.join('')}`;
}

function table(heads, rows) {
  if (rows.length === 0) return '';
  const cells = (tag, row) => row.map((cell) => `<${tag}>${cell}</${tag}>`).join('');
  const body = rows.map((row) => `<tr>${cells('td', row)}</tr>`).join('\n');
  return `<table><thead><tr>${cells('th', heads)}</tr></thead><tbody>\n${body}\n</tbody></table>`;
}

/** Paragraphs, with the two marks of Markdown that descriptions have. */
function prose(text) {
  return text
    .split(/\n\s*\n/)
    .filter((paragraph) => paragraph.trim() !== '')
    .map((paragraph) => `<p>${inline(paragraph)}</p>`)
    .join('\n');
}

function inline(text) {
  return escaped(text.trim())
    .replace(/`([^`]+)`/g, '<code>$1</code>')
    .replace(/\*\*([^*]+)\*\*/g, '<strong>$1</strong>');
}

const entities = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

function escaped(text) {
  return String(text).replace(/[&<>"']/g, (character) => entities[character]);
}
