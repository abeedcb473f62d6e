/** One dashboard as an SVG: its panels in their places, each with the lines that Prometheus has answered with. */

const columns = 24;
const columnWidth = 50;
const panelHeight = 190;
const rowHeight = 26;
const margin = { left: 46, right: 10, top: 26, bottom: 46 };
/** Of Okabe and Ito, which people who see colours differently tell apart. */
const colours = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#56b4e9', '#e69f00', '#000000'];
const shownNames = 7;
const units = {
  s: 's',
  bytes: 'B',
  percentunit: 'share',
  reqps: 'requests/s',
  ops: '/s',
  short: '',
  none: '',
};

/** `panels`: `{ title, unit, isRow, width, series: [{ name, points: [[seconds, value]] }] }` in their order; time from `start` to `end`. */
export function dashboardSvg({ title, panels, start, end }) {
  const parts = [];
  let [column, top] = [0, 34];
  let lineHeight = 0;
  const nextLine = () => {
    top += lineHeight;
    [column, lineHeight] = [0, 0];
  };
  for (const panel of panels) {
    if (panel.isRow) {
      nextLine();
      parts.push(text(10, top + 17, panel.title, 'font-weight="bold"'));
      top += rowHeight;
      continue;
    }
    if (column + panel.width > columns) nextLine();
    parts.push(
      `<g transform="translate(${column * columnWidth},${top})">${panelSvg(panel, start, end)}</g>`,
    );
    column += panel.width;
    lineHeight = panelHeight;
  }
  nextLine();
  const width = columns * columnWidth;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${top + 6}" font-family="sans-serif" font-size="11">
<title>${escaped(title)}</title>
<rect width="100%" height="100%" fill="#fff"/>
${text(10, 22, title, 'font-size="16" font-weight="bold"')}
${parts.join('\n')}
</svg>
`;
}

function panelSvg({ title, unit, width, series }, start, end) {
  const right = width * columnWidth - margin.right;
  const bottom = panelHeight - margin.bottom;
  const values = series.flatMap(({ points }) => points.map(([, value]) => value));
  const most = Math.max(...values, 0);
  const high = most === 0 ? 1 : most * 1.05;
  const x = (at) => margin.left + ((at - start) / (end - start)) * (right - margin.left);
  const y = (value) => bottom - (Math.max(value, 0) / high) * (bottom - margin.top);
  const lines = series.map(({ points }, index) => {
    const path = points.map(([at, value]) => `${x(at).toFixed(0)},${y(value).toFixed(1)}`);
    return `<polyline fill="none" stroke="${colours[index % colours.length]}" stroke-width="1.5" points="${path.join(' ')}"/>`;
  });
  return [
    `<rect x="3" y="2" width="${right + 4}" height="${panelHeight - 5}" fill="none" stroke="#ccc"/>`,
    text(10, 17, units[unit] ? `${title} (${units[unit]})` : title, 'font-weight="bold"'),
    `<path stroke="#ddd" d="M${margin.left} ${margin.top}H${right}M${margin.left} ${bottom}H${right}"/>`,
    text(margin.left - 4, margin.top + 4, short(high), 'text-anchor="end"'),
    text(margin.left - 4, bottom + 4, '0', 'text-anchor="end"'),
    ...(series.length === 0 ? [text(margin.left + 8, bottom - 8, 'no data in this run')] : lines),
    ...names(series, width * columnWidth, bottom + 16),
  ].join('');
}

function names(series, width, top) {
  const shown = series.slice(0, shownNames);
  const inLine = Math.max(1, Math.floor((width - 20) / 125));
  return [
    ...shown.map(({ name }, index) =>
      text(
        10 + (index % inLine) * 125,
        top + Math.floor(index / inLine) * 11,
        name.slice(0, 24),
        `font-size="9" fill="${colours[index % colours.length]}"`,
      ),
    ),
    ...(series.length > shownNames
      ? [
          text(
            width - 15,
            17,
            `and ${series.length - shownNames} more`,
            'text-anchor="end" font-size="9"',
          ),
        ]
      : []),
  ];
}

function short(value) {
  for (const [factor, letter] of [
    [1e9, 'G'],
    [1e6, 'M'],
    [1e3, 'k'],
  ]) {
    if (value >= factor) return `${(value / factor).toPrecision(3)}${letter}`;
  }
  return String(Number(value.toPrecision(2)));
}

function text(x, y, content, attributes = '') {
  return `<text x="${x}" y="${y}" ${attributes}>${escaped(content)}</text>`;
}

function escaped(content) {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
