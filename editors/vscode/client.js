// Starts `nasc lsp` and connects the editor to it.
'use strict';

const vscode = require('vscode');
const { LanguageClient } = require('vscode-languageclient/node');

let client;

function program() {
  return vscode.workspace.getConfiguration('nas').get('nasc') || 'nasc';
}

async function start() {
  client = new LanguageClient(
    'nas',
    'NAS',
    { command: program(), args: ['lsp'] },
    { documentSelector: [{ language: 'nas' }] },
  );
  try {
    await client.start();
  } catch (error) {
    client = undefined;
    const choice = await vscode.window.showErrorMessage(
      `\`${program()} lsp\` does not start (${error.message}). Install nasc, or set "nas.nasc" to where it is.`,
      'Open settings',
    );
    if (choice) {
      await vscode.commands.executeCommand('workbench.action.openSettings', 'nas.nasc');
    }
  }
}

async function stop() {
  const old = client;
  client = undefined;
  await old?.stop();
}

function run() {
  const document = vscode.window.activeTextEditor?.document;
  if (document?.languageId !== 'nas') {
    return;
  }
  const terminal = vscode.window.createTerminal({ name: 'nasc', shellPath: program(), shellArgs: ['run', document.fileName] });
  terminal.show();
}

exports.activate = async (context) => {
  context.subscriptions.push(
    vscode.commands.registerCommand('nas.restart', async () => {
      await stop();
      await start();
    }),
    vscode.commands.registerCommand('nas.run', run),
    vscode.workspace.onDidChangeConfiguration(async (event) => {
      if (event.affectsConfiguration('nas.nasc')) {
        await stop();
        await start();
      }
    }),
  );
  await start();
};

exports.deactivate = stop;
