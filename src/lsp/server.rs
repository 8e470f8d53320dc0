//! The loop that answers.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::{self, BufReader, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use gen_lsp_types as lsp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};

use super::analysis::Analysis;
use super::checker::{self, Job, Order, Report};
use super::text::{self, Encoding};
use super::wire::{self, Incoming, code};
use super::world::{Document, World};
use super::{
    actions, complete, diagnostics, folding, format, hints, hover, lens, navigate, rename, selection, signature,
    symbols, tokens, uri,
};

/// What the command line decides.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the texts of the standard library are written, so that editors can open them.
    pub cache: PathBuf,
}

/// What the loop waits for.
enum Event {
    Message(Incoming),
    Report(String, Report),
    End,
}

/// Serves one editor until it says `exit` or its stream ends. True if it said `shutdown` first, as it should.
pub fn serve(
    input: impl Read + Send + 'static,
    output: impl Write + Send + 'static,
    options: Options,
) -> io::Result<bool> {
    let (sender, events) = channel();
    let reader = sender.clone();
    thread::Builder::new().name("read".into()).spawn(move || {
        let mut input = BufReader::new(input);
        while let Ok(Some(m)) = wire::read(&mut input) {
            let exit = matches!(&m, Incoming::Notification { method, .. } if method == "exit");
            if reader.send(Event::Message(m)).is_err() || exit {
                return;
            }
        }
        // Nobody listens if the server is gone already.
        let _ = reader.send(Event::End);
    })?;
    let jobs = checker::start(move |uri, report| {
        let _ = sender.send(Event::Report(uri, report));
    })?;
    let main = thread::Builder::new().name("serve".into()).stack_size(checker::STACK).spawn(move || {
        let world = World {
            documents: BTreeMap::new(),
            roots: Vec::new(),
            cache: options.cache,
            encoding: Encoding::Utf16,
            snippets: false,
        };
        let mut s = Server {
            world,
            output,
            jobs,
            unchecked: BTreeSet::new(),
            state: State::New,
            refreshes: false,
            watches: false,
            published: BTreeMap::new(),
            requests: 0,
        };
        s.run(&events)
    })?;
    main.join().unwrap_or_else(|_| Err(io::Error::other("the server stopped by a mistake of its own")))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    New,
    Running,
    ShutDown,
}

struct Server<W> {
    world: World,
    output: W,
    jobs: Sender<Order>,
    /// The files that are to be checked as soon as no message waits.
    unchecked: BTreeSet<String>,
    state: State,
    /// Whether the editor asks for hints again when it is told to.
    refreshes: bool,
    /// Whether the editor can tell of files that change on disk.
    watches: bool,
    /// The files for which each checked file published something.
    published: BTreeMap<String, BTreeSet<String>>,
    /// How many requests the server made.
    requests: u32,
}

type Answer = Result<Json, (i32, String)>;

impl<W: Write> Server<W> {
    fn run(&mut self, events: &Receiver<Event>) -> io::Result<bool> {
        let mut queue: VecDeque<Event> = VecDeque::new();
        loop {
            // All that is there: what was cancelled since need not be answered.
            queue.extend(events.try_iter());
            if queue.is_empty() {
                self.have_checked();
                match events.recv() {
                    Ok(e) => queue.push_back(e),
                    Err(_) => return Ok(self.state == State::ShutDown),
                }
                queue.extend(events.try_iter());
            }
            match queue.pop_front() {
                None => {}
                Some(Event::End) => return Ok(self.state == State::ShutDown),
                Some(Event::Report(uri, report)) => self.checked(&uri, report)?,
                Some(Event::Message(m)) => match m {
                    Incoming::Response => {}
                    Incoming::Malformed { id, code, message } => {
                        wire::write(&mut self.output, &wire::answer(&id, Err((code, message))))?;
                    }
                    Incoming::Notification { method, .. } if method == "exit" => {
                        return Ok(self.state == State::ShutDown);
                    }
                    Incoming::Notification { method, params } => self.notified(&method, params)?,
                    Incoming::Request { id, method, params } => {
                        let result = if cancelled(&queue, &id) {
                            Err((code::REQUEST_CANCELLED, "cancelled".to_string()))
                        } else {
                            self.answer(&method, params)
                        };
                        wire::write(&mut self.output, &wire::answer(&id, result))?;
                    }
                },
            }
        }
    }

    /// Answers a request; a panic is the answer, too.
    fn answer(&mut self, method: &str, params: Json) -> Answer {
        match (self.state, method) {
            (State::New, "initialize") => return self.initialize(params),
            (State::New, _) => return Err((code::NOT_INITIALIZED, "`initialize` comes first".to_string())),
            (State::ShutDown, _) => return Err((code::INVALID_REQUEST, "the server is shut down".to_string())),
            (State::Running, "initialize") => {
                return Err((code::INVALID_REQUEST, "the server is initialized".to_string()));
            }
            (State::Running, "shutdown") => {
                self.state = State::ShutDown;
                return Ok(Json::Null);
            }
            (State::Running, _) => {}
        }
        let tried = catch_unwind(AssertUnwindSafe(|| self.request(method, params)));
        tried.unwrap_or_else(|_| Err((code::INTERNAL_ERROR, format!("`{method}` failed by a mistake of the server"))))
    }

    fn initialize(&mut self, params: Json) -> Answer {
        let p: lsp::InitializeParams = read(params)?;
        let general = p.capabilities.general.and_then(|g| g.position_encodings).unwrap_or_default();
        if general.contains(&lsp::PositionEncodingKind::UTF8) {
            self.world.encoding = Encoding::Utf8;
        }
        if let Some(t) = &p.capabilities.text_document {
            let item = t.completion.as_ref().and_then(|c| c.completion_item.as_ref());
            self.world.snippets = item.and_then(|i| i.snippet_support).unwrap_or(false);
        }
        if let Some(w) = &p.capabilities.workspace {
            self.refreshes = w.inlay_hint.as_ref().and_then(|h| h.refresh_support).unwrap_or(false);
            let watched = w.did_change_watched_files.as_ref();
            self.watches = watched.and_then(|d| d.dynamic_registration).unwrap_or(false);
        }
        #[allow(deprecated, reason = "older editors give only this")]
        let root = p.root_uri.as_ref().map(|u| u.0.clone());
        let folders = match p.workspace_folders_initialize_params.workspace_folders {
            Some(lsp::WorkspaceFolders::WorkspaceFolderList(all)) => all,
            Some(lsp::WorkspaceFolders::Null) | None => Vec::new(),
        };
        let folders: Vec<String> = folders.iter().map(|f| f.uri.0.clone()).collect();
        let roots = if folders.is_empty() { root.into_iter().collect() } else { folders };
        self.world.roots = roots.iter().filter_map(|u| uri::to_path(u)).collect();
        self.state = State::Running;
        let encoding = match self.world.encoding {
            Encoding::Utf8 => lsp::PositionEncodingKind::UTF8,
            Encoding::Utf16 => lsp::PositionEncodingKind::UTF16,
        };
        Ok(json!({
            "capabilities": capabilities(&encoding),
            "serverInfo": { "name": "nasc", "version": env!("CARGO_PKG_VERSION") },
        }))
    }

    // ---- what the editor tells ----

    fn notified(&mut self, method: &str, params: Json) -> io::Result<()> {
        if self.state != State::Running {
            return Ok(());
        }
        // A notification has no answer; one that is not well formed changes nothing.
        match method {
            "initialized" => self.initialized()?,
            "textDocument/didOpen" => {
                if let Ok(p) = read::<lsp::DidOpenTextDocumentParams>(params) {
                    let d = p.text_document;
                    self.open(d.uri.0.as_str(), d.version, d.text);
                }
            }
            "textDocument/didChange" => {
                if let Ok(p) = read::<lsp::DidChangeTextDocumentParams>(params) {
                    self.change(p);
                }
            }
            "textDocument/didClose" => {
                if let Ok(p) = read::<lsp::DidCloseTextDocumentParams>(params) {
                    self.close(p.text_document.uri.0.as_str())?;
                }
            }
            "workspace/didChangeWatchedFiles" => {
                if let Ok(p) = read::<lsp::DidChangeWatchedFilesParams>(params) {
                    let changed: BTreeSet<PathBuf> =
                        p.changes.iter().filter_map(|c| uri::to_path(c.uri.0.as_str())).collect();
                    self.changed(&changed);
                }
            }
            "workspace/didChangeWorkspaceFolders" => {
                if let Ok(p) = read::<lsp::DidChangeWorkspaceFoldersParams>(params) {
                    let path = |f: &lsp::WorkspaceFolder| uri::to_path(f.uri.0.as_str());
                    let gone: Vec<PathBuf> = p.event.removed.iter().filter_map(path).collect();
                    self.world.roots.retain(|r| !gone.contains(r));
                    self.world.roots.extend(p.event.added.iter().filter_map(path));
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Asks to be told of files that change on disk.
    fn initialized(&mut self) -> io::Result<()> {
        if !self.watches {
            return Ok(());
        }
        let watchers = json!({ "watchers": [{ "globPattern": "**/*.nas" }] });
        let registration =
            json!({ "id": "watch", "method": "workspace/didChangeWatchedFiles", "registerOptions": watchers });
        self.ask("client/registerCapability", &json!({ "registrations": [registration] }))
    }

    fn ask(&mut self, method: &str, params: &Json) -> io::Result<()> {
        self.requests += 1;
        let id = format!("nasc-{}", self.requests);
        wire::write(&mut self.output, &json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }))
    }

    fn open(&mut self, uri: &str, version: i32, text: String) {
        let path = uri::to_path(uri).unwrap_or_else(|| PathBuf::from(uri));
        let document = Document {
            uri: uri.to_string(),
            path: path.clone(),
            text: text.into(),
            version,
            loaded: None,
            former: None,
            analysis: None,
            report: None,
        };
        self.world.documents.insert(uri::canonical(uri), document);
        self.changed(&BTreeSet::from([path]));
    }

    fn change(&mut self, p: lsp::DidChangeTextDocumentParams) {
        use lsp::TextDocumentContentChangeEvent as Change;
        let encoding = self.world.encoding;
        let Some(d) =
            self.world.documents.get_mut(&uri::canonical(p.text_document.text_document_identifier.uri.0.as_str()))
        else {
            return;
        };
        let mut text = d.text.to_string();
        for c in p.content_changes {
            match c {
                Change::TextDocumentContentChangePartial(c) => text::edit(&mut text, Some(c.range), &c.text, encoding),
                Change::TextDocumentContentChangeWholeDocument(c) => text = c.text,
            }
        }
        d.text = text.into();
        d.version = p.text_document.version;
        let path = d.path.clone();
        self.changed(&BTreeSet::from([path]));
    }

    fn close(&mut self, uri: &str) -> io::Result<()> {
        let Some(d) = self.world.documents.remove(&uri::canonical(uri)) else { return Ok(()) };
        self.unchecked.remove(&d.uri);
        // The thread lives as long as the server.
        let _ = self.jobs.send(Order::Forget(d.uri.clone()));
        for file in self.published.remove(&d.uri).unwrap_or_default() {
            self.publish(&file, &[], None)?;
        }
        self.changed(&BTreeSet::from([d.path]));
        Ok(())
    }

    /// Has every open file checked again that is made of some of these.
    fn changed(&mut self, paths: &BTreeSet<PathBuf>) {
        for d in self.world.documents.values_mut() {
            d.analysis = None;
            d.former = d.loaded.take().or(d.former.take());
            let concerned = paths.contains(&d.path)
                || d.report.as_ref().is_none_or(|r| r.files.iter().any(|f| paths.contains(f)) || misses(r));
            if concerned && !d.path.starts_with(&self.world.cache) {
                self.unchecked.insert(d.uri.clone());
            }
        }
    }

    /// Hands the files that changed to the thread that checks.
    fn have_checked(&mut self) {
        for uri in std::mem::take(&mut self.unchecked) {
            let Some(loaded) = self.world.loaded(&uri) else { continue };
            let Some(d) = self.world.document(&uri) else { continue };
            let job = Job { uri, path: d.path.clone(), version: d.version, loaded };
            // The thread lives as long as the server.
            let _ = self.jobs.send(Order::Check(job));
        }
    }

    // ---- what checks tell ----

    fn checked(&mut self, uri: &str, report: Report) -> io::Result<()> {
        let Some(d) = self.world.documents.get_mut(&uri::canonical(uri)) else { return Ok(()) };
        if d.version != report.version {
            return Ok(());
        }
        let report = Arc::new(report);
        d.report = Some(report.clone());
        let files = diagnostics::by_file(&self.world, &report, uri);
        let before = self.published.remove(uri).unwrap_or_default();
        for gone in before.iter().filter(|f| !files.contains_key(*f)) {
            self.publish(gone, &[], None)?;
        }
        for (file, all) in &files {
            // Open files speak for themselves.
            if file != uri && self.world.document(file).is_some() {
                continue;
            }
            // What is not complete is not yet the answer to the text.
            self.publish(file, all, (file == uri && report.complete).then_some(report.version))?;
        }
        self.published.insert(uri.to_string(), files.into_keys().collect());
        if self.refreshes && report.complete {
            self.ask("workspace/inlayHint/refresh", &Json::Null)?;
        }
        Ok(())
    }

    fn publish(&mut self, uri: &str, all: &[lsp::Diagnostic], version: Option<i32>) -> io::Result<()> {
        let mut params = json!({ "uri": uri, "diagnostics": all });
        if let Some(v) = version {
            params["version"] = v.into();
        }
        wire::write(&mut self.output, &wire::notification("textDocument/publishDiagnostics", &params))
    }

    // ---- what the editor asks ----

    /// The file of a request, and the byte of a position in it.
    fn file(&mut self, id: &lsp::TextDocumentIdentifier) -> Result<Arc<Analysis>, (i32, String)> {
        let found = self.world.analysis(id.uri.0.as_str());
        found.ok_or_else(|| (code::INVALID_PARAMS, format!("`{}` is not open", id.uri.0.as_str())))
    }

    fn place(&mut self, p: &lsp::TextDocumentPositionParams) -> Result<(Arc<Analysis>, usize), (i32, String)> {
        let a = self.file(&p.text_document)?;
        let at = a.lines().byte(a.text(), p.position);
        Ok((a, at))
    }

    fn request(&mut self, method: &str, params: Json) -> Answer {
        match method {
            "textDocument/hover" => {
                let p: lsp::HoverParams = read(params)?;
                let p = p.text_document_position_params;
                let (a, at) = self.place(&p)?;
                let report = self.world.report(p.text_document.uri.0.as_str());
                give(hover::hover(&self.world, &a, report.as_deref(), at as u32))
            }
            "textDocument/completion" => {
                let p: lsp::CompletionParams = read(params)?;
                let (a, at) = self.place(&p.text_document_position_params)?;
                // Decisions of an older text are better than none.
                let uri = p.text_document_position_params.text_document.uri;
                let report = self.world.document(uri.0.as_str()).and_then(|d| d.report.clone());
                give(complete::complete(&self.world, &a, report.as_deref(), at))
            }
            "textDocument/signatureHelp" => {
                let p: lsp::SignatureHelpParams = read(params)?;
                let (a, at) = self.place(&p.text_document_position_params)?;
                give(signature::help(&a, at))
            }
            "textDocument/definition" | "textDocument/declaration" => {
                let p: lsp::DefinitionParams = read(params)?;
                let (a, at) = self.place(&p.text_document_position_params)?;
                give(navigate::definition(&self.world, &a, at as u32))
            }
            "textDocument/references" => {
                let p: lsp::ReferenceParams = read(params)?;
                let (a, at) = self.place(&p.text_document_position_params)?;
                let mut all = navigate::references(&mut self.world, &a, at as u32).unwrap_or_default();
                if !p.context.include_declaration && !all.is_empty() {
                    all.remove(0);
                }
                give(all)
            }
            "textDocument/documentHighlight" => {
                let p: lsp::DocumentHighlightParams = read(params)?;
                let (a, at) = self.place(&p.text_document_position_params)?;
                give(navigate::highlights(&self.world, &a, at as u32))
            }
            "textDocument/prepareRename" => {
                let p: lsp::TextDocumentPositionParams = read(params)?;
                let (a, at) = self.place(&p)?;
                let (range, name) = rename::prepare(&self.world, &a, at as u32).map_err(failed)?;
                give(json!({ "range": range, "placeholder": name }))
            }
            "textDocument/rename" => {
                let p: lsp::RenameParams = read(params)?;
                let (a, at) = self.place(&p.text_document_position_params)?;
                let edits = rename::rename(&mut self.world, &a, at as u32, &p.new_name).map_err(failed)?;
                give(json!({ "changes": edits }))
            }
            "textDocument/documentSymbol" => {
                let p: lsp::DocumentSymbolParams = read(params)?;
                let a = self.file(&p.text_document)?;
                give(symbols::outline(&self.world, &a))
            }
            "workspace/symbol" => {
                let p: lsp::WorkspaceSymbolParams = read(params)?;
                give(symbols::workspace(&mut self.world, &p.query))
            }
            "textDocument/foldingRange" => {
                let p: lsp::FoldingRangeParams = read(params)?;
                give(folding::ranges(&*self.file(&p.text_document)?))
            }
            "textDocument/selectionRange" => {
                let p: lsp::SelectionRangeParams = read(params)?;
                let a = self.file(&p.text_document)?;
                let byte = |at: &lsp::Position| a.lines().byte(a.text(), *at) as u32;
                let all = p.positions.iter().map(|at| selection::around(&self.world, &a, byte(at)));
                give(all.collect::<Vec<_>>())
            }
            "textDocument/semanticTokens/full" => {
                let p: lsp::SemanticTokensParams = read(params)?;
                let a = self.file(&p.text_document)?;
                give(lsp::SemanticTokens { result_id: None, data: tokens::tokens(&a, None) })
            }
            "textDocument/semanticTokens/range" => {
                let p: lsp::SemanticTokensRangeParams = read(params)?;
                let a = self.file(&p.text_document)?;
                let lines = (p.range.start.line, p.range.end.line);
                give(lsp::SemanticTokens { result_id: None, data: tokens::tokens(&a, Some(lines)) })
            }
            "textDocument/inlayHint" => {
                let p: lsp::InlayHintParams = read(params)?;
                let a = self.file(&p.text_document)?;
                let report = self.world.report(p.text_document.uri.0.as_str());
                let (from, to) = (p.range.start.line, p.range.end.line);
                give(report.map(|r| hints::hints(&a, &r, from, to)).unwrap_or_default())
            }
            "textDocument/formatting" => {
                let p: lsp::DocumentFormattingParams = read(params)?;
                give(format::edits(&*self.file(&p.text_document)?, None))
            }
            "textDocument/rangeFormatting" => {
                let p: lsp::DocumentRangeFormattingParams = read(params)?;
                give(format::edits(&*self.file(&p.text_document)?, Some(p.range)))
            }
            "textDocument/codeAction" => {
                let p: lsp::CodeActionParams = read(params)?;
                let a = self.file(&p.text_document)?;
                let report = self.world.report(p.text_document.uri.0.as_str());
                give(report.map(|r| actions::actions(&mut self.world, &a, &r, p.range)).unwrap_or_default())
            }
            "textDocument/codeLens" => {
                let p: lsp::CodeLensParams = read(params)?;
                let a = self.file(&p.text_document)?;
                give(lens::lenses(&self.world, &a))
            }
            _ => Err((code::METHOD_NOT_FOUND, format!("`{method}` is not served"))),
        }
    }
}

/// Whether something that was to be found was not: a file that appears may be it.
fn misses(r: &Report) -> bool {
    r.facts.diagnostics.iter().any(|d| d.code == &crate::diag::codes::UNKNOWN_MODULE)
}

fn cancelled(queue: &VecDeque<Event>, id: &Json) -> bool {
    queue.iter().any(|e| match e {
        Event::Message(Incoming::Notification { method, params }) => {
            method == "$/cancelRequest" && params.get("id") == Some(id)
        }
        _ => false,
    })
}

fn failed(message: String) -> (i32, String) {
    (code::REQUEST_FAILED, message)
}

fn read<T: DeserializeOwned>(params: Json) -> Result<T, (i32, String)> {
    serde_json::from_value(params).map_err(|e| (code::INVALID_PARAMS, e.to_string()))
}

fn give<T: Serialize>(result: T) -> Answer {
    serde_json::to_value(result).map_err(|e| (code::INTERNAL_ERROR, e.to_string()))
}

/// What the server can do.
fn capabilities(encoding: &lsp::PositionEncodingKind) -> Json {
    let legend = tokens::legend();
    json!({
        "positionEncoding": encoding,
        "textDocumentSync": { "openClose": true, "change": 2 },
        "hoverProvider": true,
        "completionProvider": { "triggerCharacters": [".", "\"", "(", "="] },
        "signatureHelpProvider": { "triggerCharacters": ["(", ","], "retriggerCharacters": [")"] },
        "definitionProvider": true,
        "declarationProvider": true,
        "referencesProvider": true,
        "documentHighlightProvider": true,
        "documentSymbolProvider": true,
        "workspaceSymbolProvider": true,
        "codeLensProvider": { "resolveProvider": false },
        "codeActionProvider": { "codeActionKinds": ["quickfix"] },
        "documentFormattingProvider": true,
        "documentRangeFormattingProvider": true,
        "renameProvider": { "prepareProvider": true },
        "foldingRangeProvider": true,
        "selectionRangeProvider": true,
        "inlayHintProvider": true,
        "semanticTokensProvider": { "legend": legend, "full": true, "range": true },
        "workspace": { "workspaceFolders": { "supported": true, "changeNotifications": true } },
    })
}
