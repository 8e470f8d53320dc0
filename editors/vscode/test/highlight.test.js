// Runs the grammar over `highlight.nas`, whose comments say what stands above them, and over every file of the project.
'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const { INITIAL, Registry, parseRawGrammar } = require('vscode-textmate');
const oniguruma = require('vscode-oniguruma');

const here = path.join(__dirname, '..');
const root = path.join(here, '..', '..');

async function load() {
  const wasm = fs.readFileSync(require.resolve('vscode-oniguruma/release/onig.wasm'));
  await oniguruma.loadWASM(wasm);
  const file = path.join(here, 'syntaxes', 'nas.tmLanguage.json');
  const registry = new Registry({
    onigLib: Promise.resolve({
      createOnigScanner: (patterns) => new oniguruma.OnigScanner(patterns),
      createOnigString: (text) => new oniguruma.OnigString(text),
    }),
    loadGrammar: async (scope) => (scope === 'source.nas' ? parseRawGrammar(fs.readFileSync(file, 'utf8'), file) : null),
  });
  return registry.loadGrammar('source.nas');
}

const grammar = load();

// The scopes of each line's tokens.
async function tokenize(text) {
  const g = await grammar;
  let state = INITIAL;
  return text.split('\n').map((line) => {
    const result = g.tokenizeLine(line, state);
    state = result.ruleStack;
    return { line, tokens: result.tokens, depth: state.depth };
  });
}

function nasFiles(dir) {
  return fs.readdirSync(dir, { withFileTypes: true }).flatMap((e) => {
    const p = path.join(dir, e.name);
    if (e.isDirectory()) {
      return ['node_modules', 'target', '.git'].includes(e.name) ? [] : nasFiles(p);
    }
    return e.name.endsWith('.nas') ? [p] : [];
  });
}

test('what the comments say', async () => {
  const lines = await tokenize(fs.readFileSync(path.join(__dirname, 'highlight.nas'), 'utf8'));
  let above;
  let checked = 0;
  for (const [number, l] of lines.entries()) {
    const expectation = /^\/\/(?:(\s*)(\^+)| (<-)) (- )?(\S+)$/.exec(l.line);
    if (!expectation) {
      above = l;
      continue;
    }
    const [, space, carets, , not, scope] = expectation;
    const from = carets ? 2 + space.length : 0;
    const to = carets ? from + carets.length : 1;
    const hit = above.tokens.filter((t) => t.startIndex < to && t.endIndex > from);
    assert(hit.length > 0, `line ${number + 1}: nothing stands there`);
    for (const t of hit) {
      const has = t.scopes.some((s) => s === scope || s.startsWith(`${scope}.`));
      const text = above.line.slice(t.startIndex, t.endIndex);
      assert.strictEqual(has, !not, `line ${number + 1}: \`${text}\` has ${t.scopes.join(' ')}, not ${scope}`);
    }
    checked += 1;
  }
  assert(checked > 40, `${checked} expectations`);
});

test('every file of the project ends outside of strings', async () => {
  const files = nasFiles(root);
  assert(files.length > 30);
  for (const file of files) {
    for (const l of await tokenize(fs.readFileSync(file, 'utf8'))) {
      assert.strictEqual(l.depth, 1, `${file}: ${l.line}`);
    }
  }
});
