// Starts `nasc lsp` and connects the editor to it.
'use strict';

const childProcess = require('node:child_process');

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

// The file and search that a code lens names; without a lens, the file that is edited. Saved, since the program reads it.
async function target(argument) {
  const document = argument
    ? vscode.workspace.textDocuments.find((d) => d.fileName === argument.file)
    : vscode.window.activeTextEditor?.document;
  if (document?.isDirty) {
    await document.save();
  }
  if (argument) {
    return argument;
  }
  return document?.languageId === 'nas' ? { file: document.fileName } : undefined;
}

async function terminal(argument, ...args) {
  const at = await target(argument);
  if (at) {
    const [command, ...rest] = args;
    const search = at.name && command === 'run' ? ['--search', at.name] : [];
    vscode.window.createTerminal({ name: 'nasc', shellPath: program(), shellArgs: [command, at.file, ...search, ...rest] }).show();
  }
}

// Draws a random candidate of a search, another one each time.
async function show(argument) {
  const at = await target(argument);
  if (!at) {
    return;
  }
  const seed = String(Math.floor(Math.random() * 1e9));
  const search = at.name ? ['--search', at.name] : [];
  const args = ['sample', at.file, ...search, '-n', '1', '--seed', seed, '--svg', '-'];
  childProcess.execFile(program(), args, { maxBuffer: 1 << 26 }, (error, svg, problem) => {
    if (error) {
      vscode.window.showErrorMessage(`No candidate can be shown: ${problem || error.message}`);
      return;
    }
    const panel = vscode.window.createWebviewPanel('nas.candidate', at.name ?? 'candidate', vscode.ViewColumn.Beside, {});
    panel.webview.html = `<!DOCTYPE html><html><body style="background:white">${svg.slice(svg.indexOf('<svg'))}</body></html>`;
  });
}

exports.activate = async (context) => {
  context.subscriptions.push(
    vscode.commands.registerCommand('nas.restart', async () => {
      await stop();
      await start();
    }),
    vscode.commands.registerCommand('nas.check', (at) => terminal(at, 'check', '--decisions')),
    vscode.commands.registerCommand('nas.run', (at) => terminal(at, 'run')),
    vscode.commands.registerCommand('nas.show', show),
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
