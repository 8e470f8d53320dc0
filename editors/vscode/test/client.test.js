// Runs the client against stand-ins for the editor and the protocol's library.
'use strict';

const assert = require('node:assert');
const Module = require('node:module');
const test = require('node:test');

function load({ program, fails }) {
  const log = [];
  const commands = {};
  let changed;
  const vscode = {
    workspace: {
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
  commands['nas.run']();
  const terminal = log.find((l) => l[0] === 'terminal')[1];
  assert.deepStrictEqual([terminal.shellPath, terminal.shellArgs], ['nasc', ['run', '/a b/net.nas']]);
});

test('says what to do where the program is not there', async () => {
  const { extension, log } = load({ fails: true });
  await extension.activate({ subscriptions: [] });
  assert.match(log.find((l) => l[0] === 'error')[1], /`nasc lsp` does not start \(not found\)/);
  assert.deepStrictEqual(log.at(-1), ['workbench.action.openSettings', 'nas.nasc']);
  await extension.deactivate();
});
