// Draws a `.nas` file as editors show it, from the grammar that they use: `npm run picture`.
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { INITIAL, Registry, parseRawGrammar } = require('vscode-textmate');
const oniguruma = require('vscode-oniguruma');

const root = path.join(__dirname, '..', '..');

// The files of the README's pictures.
const PICTURES = {
  'docs/images/space.svg': 'stdlib/spaces/nasbench201.nas',
  'docs/images/strategy.svg': 'stdlib/strategies/aging_evolution.nas',
};

// Colours by scope, the most telling first; on white they have the contrast that text needs.
const COLOURS = [
  ['comment', '#6a737d', 'italic'],
  ['constant.character.escape', '#22863a'],
  ['string', '#0a5c2b'],
  ['keyword.other.unit', '#005cc5'],
  ['constant.numeric', '#005cc5'],
  ['constant.language', '#005cc5'],
  ['keyword.control.choose', '#b3261e', 'bold'],
  ['entity.name.tag.decision', '#b3261e'],
  ['variable.other.enummember', '#8a4600'],
  ['keyword.operator.pipeline', '#7a1fa2', 'bold'],
  ['keyword.operator.reduction', '#6f42c1'],
  ['keyword.operator', '#57606a'],
  ['keyword', '#7a1fa2'],
  ['storage', '#7a1fa2', 'bold'],
  ['entity.name.namespace', '#57606a'],
  ['entity.name.function', '#0b57a4'],
  ['support.type', '#00695c'],
  ['variable.parameter', '#8a4600'],
  ['variable.other.member', '#0b57a4'],
  ['variable.other.constant', '#00695c'],
];
const PLAIN = '#24292f';

const COLUMN = 7.8;
const LINE = 19;
const EDGE = 16;

async function grammar() {
  await oniguruma.loadWASM(fs.readFileSync(require.resolve('vscode-oniguruma/release/onig.wasm')));
  const file = path.join(__dirname, 'syntaxes', 'nas.tmLanguage.json');
  const registry = new Registry({
    onigLib: Promise.resolve({
      createOnigScanner: (patterns) => new oniguruma.OnigScanner(patterns),
      createOnigString: (text) => new oniguruma.OnigString(text),
    }),
    loadGrammar: async () => parseRawGrammar(fs.readFileSync(file, 'utf8'), file),
  });
  return registry.loadGrammar('source.nas');
}

function colour(scopes) {
  for (const scope of [...scopes].reverse()) {
    const found = COLOURS.find(([name]) => scope.startsWith(name));
    if (found) {
      return found;
    }
  }
  return ['', PLAIN];
}

const escaped = (text) => text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');

// The text as an SVG. Every token stands at its column, whatever the font.
function draw(g, text) {
  const lines = text.trimEnd().split('\n');
  const width = Math.ceil(Math.max(...lines.map((l) => l.length)) * COLUMN) + 2 * EDGE;
  const height = lines.length * LINE + 2 * EDGE;
  const out = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">`,
    `<rect width="${width}" height="${height}" rx="8" fill="#ffffff" stroke="#d0d7de"/>`,
    `<g font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace" font-size="13">`,
  ];
  let state = INITIAL;
  lines.forEach((line, row) => {
    const result = g.tokenizeLine(line, state);
    state = result.ruleStack;
    const y = EDGE + row * LINE + 14;
    for (const t of result.tokens) {
      const part = line.slice(t.startIndex, t.endIndex);
      const word = part.trim();
      if (!word) {
        continue;
      }
      const column = t.startIndex + part.indexOf(word);
      const [, fill, style] = colour(t.scopes);
      const font = style === 'bold' ? ' font-weight="bold"' : style === 'italic' ? ' font-style="italic"' : '';
      const x = (EDGE + column * COLUMN).toFixed(1);
      const length = (word.length * COLUMN).toFixed(1);
      out.push(`<text x="${x}" y="${y}" fill="${fill}"${font} textLength="${length}">${escaped(word)}</text>`);
    }
  });
  out.push('</g>', '</svg>', '');
  return out.join('\n');
}

async function main() {
  const g = await grammar();
  const check = process.argv.includes('--check');
  for (const [picture, file] of Object.entries(PICTURES)) {
    const svg = draw(g, fs.readFileSync(path.join(root, file), 'utf8'));
    const to = path.join(root, picture);
    if (!check) {
      fs.writeFileSync(to, svg);
    } else if (fs.readFileSync(to, 'utf8') !== svg) {
      console.error(`${picture} is not what ${file} looks like now: npm run picture`);
      process.exitCode = 1;
    }
  }
}

main();
