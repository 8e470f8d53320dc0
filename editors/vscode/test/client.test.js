// Runs the client against stand-ins for the editor and the protocol's library.
'use strict';

const assert = require('node:assert');
const Module = require('node:module');
const path = require('node:path');
const test = require('node:test');

function load({ program, fails }) {
  const log = [];
  const commands = {};
  let changed;
  const vscode = {
    ViewColumn: { Beside: -2 },
    workspace: {
      textDocuments: [
        { languageId: 'nas', fileName: '/a b/other.nas', isDirty: true, save: async () => log.push(['save', '/a b/other.nas']) },
      ],
      getConfiguration: (section) => ({ get: (key) => (section === 'nas' && key === 'nasc' ? program : undefined) }),
      onDidChangeConfiguration: (f) => {
        changed = f;
        return {};
      },
    },
    commands: {
      registerCommand: (name, f) => {
        commands[name] = f;
        return {};
      },
      executeCommand: async (...args) => log.push(args),
    },
    window: {
      activeTextEditor: { document: { languageId: 'nas', fileName: '/a b/net.nas' } },
      createTerminal: (options) => {
        log.push(['terminal', options]);
        return { show() {} };
      },
      createWebviewPanel: (kind, title) => {
        const panel = { webview: {} };
        log.push(['panel', title, panel.webview]);
        return panel;
      },
      showErrorMessage: async (message) => {
        log.push(['error', message]);
        return 'Open settings';
      },
    },
  };
  class LanguageClient {
    constructor(id, name, server, client) {
      log.push(['client', server, client]);
    }
    async start() {
      if (fails) {
        throw new Error('not found');
      }
      log.push(['start']);
    }
    async stop() {
      log.push(['stop']);
    }
  }
  const original = Module._load;
  Module._load = (request, ...rest) => {
    if (request === 'vscode') {
      return vscode;
    }
    return request === 'vscode-languageclient/node' ? { LanguageClient } : original(request, ...rest);
  };
  delete require.cache[require.resolve('../client.js')];
  const extension = require('../client.js');
  Module._load = original;
  return { extension, log, commands, configured: (key) => changed({ affectsConfiguration: (k) => k === key }) };
}

test('starts, restarts and stops the server', async () => {
  const { extension, log, commands, configured } = load({ program: '/opt/nasc' });
  await extension.activate({ subscriptions: [] });
  assert.deepStrictEqual(log[0][1], { command: '/opt/nasc', args: ['lsp'] });
  assert.deepStrictEqual(log[0][2].documentSelector, [{ language: 'nas' }]);
  await commands['nas.restart']();
  await configured('other');
  await configured('nas.nasc');
  await extension.deactivate();
  const steps = log.map((l) => l[0]).filter((s) => s !== 'client');
  assert.deepStrictEqual(steps, ['start', 'stop', 'start', 'stop', 'start', 'stop']);
});

test('runs the file in a terminal, as one argument', async () => {
  const { extension, log, commands } = load({});
  await extension.activate({ subscriptions: [] });
  await commands['nas.run']();
  const terminal = log.find((l) => l[0] === 'terminal')[1];
  assert.deepStrictEqual([terminal.shellPath, terminal.shellArgs], ['nasc', ['run', '/a b/net.nas']]);
});

test('runs and checks what a code lens names, saved', async () => {
  const { extension, log, commands } = load({ program: '/opt/nasc' });
  await extension.activate({ subscriptions: [] });
  const at = { file: '/a b/other.nas', name: 'tiny' };
  await commands['nas.run'](at);
  await commands['nas.check'](at);
  const steps = log.filter((l) => l[0] === 'terminal').map((l) => l[1].shellArgs);
  assert.deepStrictEqual(steps, [
    ['run', '/a b/other.nas', '--search', 'tiny'],
    ['check', '/a b/other.nas', '--decisions'],
  ]);
  assert.ok(log.some((l) => l[0] === 'save'));
});

test('shows a candidate that the program draws', { skip: !process.env.NASC }, async () => {
  const { extension, log, commands } = load({ program: process.env.NASC });
  await extension.activate({ subscriptions: [] });
  const file = path.join(__dirname, '..', '..', '..', 'examples', 'digits.nas');
  await commands['nas.show']({ file, name: 'digits' });
  const end = Date.now() + 60000;
  while (!log.some((l) => l[0] === 'panel' || l[0] === 'error')) {
    assert.ok(Date.now() < end, 'a picture in a minute');
    await new Promise((done) => setTimeout(done, 50));
  }
  const panel = log.find((l) => l[0] === 'panel');
  assert.strictEqual(panel?.[1], 'digits', JSON.stringify(log));
  assert.match(panel[2].html, /<svg[\s\S]*<\/svg>/);
});

test('says what to do where the program is not there', async () => {
  const { extension, log } = load({ fails: true });
  await extension.activate({ subscriptions: [] });
  assert.match(log.find((l) => l[0] === 'error')[1], /`nasc lsp` does not start \(not found\)/);
  assert.deepStrictEqual(log.at(-1), ['workbench.action.openSettings', 'nas.nasc']);
  await extension.deactivate();
});
