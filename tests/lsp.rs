//! The language server as an editor drives it: over its standard input and output, well-behaved and not.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_mins(1);

/// A server with a folder of files.
struct Editor {
    child: Child,
    input: Option<ChildStdin>,
    messages: Receiver<Json>,
    dir: TempDir,
    next: i32,
    version: i32,
    /// The last diagnostics of each file with the version that they are of.
    diagnostics: BTreeMap<String, (Option<i64>, Json)>,
}

#[allow(clippy::needless_pass_by_value, reason = "calls read better with `json!` as it is")]
impl Editor {
    /// A server that is initialized, with UTF-16 columns.
    fn start() -> Self {
        let mut e = Self::spawn();
        let root = e.uri("");
        let r = e.ask("initialize", json!({ "processId": null, "rootUri": root, "capabilities": {} }));
        assert_eq!(r["serverInfo"]["name"], "nasc");
        assert_eq!(r["capabilities"]["positionEncoding"], "utf-16");
        e.tell("initialized", json!({}));
        e
    }

    fn spawn() -> Self {
        let dir = TempDir::new().expect("a temporary folder");
        let mut child = Command::new(env!("CARGO_BIN_EXE_nasc"))
            .arg("lsp")
            .env("XDG_CACHE_HOME", dir.path().join("cache"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("nasc starts");
        let input = child.stdin.take();
        let mut output = BufReader::new(child.stdout.take().expect("piped"));
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            // Only the protocol: anything else on standard output fails the parse.
            loop {
                let mut header = String::new();
                if output.read_line(&mut header).expect("text") == 0 {
                    return;
                }
                let length =
                    header.strip_prefix("Content-Length: ").expect("a header").trim().parse().expect("a number");
                let mut blank = String::new();
                output.read_line(&mut blank).expect("text");
                assert_eq!(blank, "\r\n");
                let mut body = vec![0; length];
                output.read_exact(&mut body).expect("a whole message");
                let message: Json = serde_json::from_slice(&body).expect("JSON");
                assert_eq!(message["jsonrpc"], "2.0");
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        Self { child, input, messages, dir, next: 0, version: 0, diagnostics: BTreeMap::new() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn uri(&self, name: &str) -> String {
        format!("file://{}", self.path(name).display())
    }

    fn raw(&mut self, bytes: &[u8]) {
        let input = self.input.as_mut().expect("open");
        input.write_all(bytes).and_then(|()| input.flush()).expect("the server reads");
    }

    fn send(&mut self, message: &Json) {
        let body = message.to_string();
        self.raw(format!("Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes());
    }

    fn tell(&mut self, method: &str, params: Json) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params }));
    }

    fn request(&mut self, method: &str, params: Json) -> i32 {
        self.next += 1;
        let id = self.next;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        id
    }

    /// The next message; diagnostics are kept.
    fn message(&mut self) -> Json {
        let m = self.messages.recv_timeout(PATIENCE).expect("the server answers in time");
        if m["method"] == "textDocument/publishDiagnostics" {
            let p = &m["params"];
            let uri = p["uri"].as_str().expect("a URI").to_string();
            self.diagnostics.insert(uri, (p["version"].as_i64(), p["diagnostics"].clone()));
        }
        m
    }

    fn answer(&mut self, id: i32) -> Json {
        loop {
            let m = self.message();
            if m["id"] == id && m.get("method").is_none() {
                return m;
            }
        }
    }

    #[track_caller]
    fn ask(&mut self, method: &str, params: Json) -> Json {
        let id = self.request(method, params);
        let m = self.answer(id);
        assert!(m.get("error").is_none(), "{method}: {m}");
        m["result"].clone()
    }

    #[track_caller]
    fn refused(&mut self, method: &str, params: Json) -> (i64, String) {
        let id = self.request(method, params);
        let m = self.answer(id);
        let e = &m["error"];
        (e["code"].as_i64().expect("an error"), e["message"].as_str().expect("a message").to_string())
    }

    fn open(&mut self, name: &str, text: &str) -> File {
        std::fs::write(self.path(name), "").expect("writable");
        self.version += 1;
        let uri = self.uri(name);
        let document = json!({ "uri": uri, "languageId": "nas", "version": self.version, "text": text });
        self.tell("textDocument/didOpen", json!({ "textDocument": document }));
        File { uri, text: text.to_string() }
    }

    /// Replaces the whole text.
    fn replace(&mut self, f: &mut File, text: &str) {
        self.version += 1;
        f.text = text.to_string();
        let document = json!({ "uri": f.uri, "version": self.version });
        self.tell("textDocument/didChange", json!({ "textDocument": document, "contentChanges": [{ "text": text }] }));
    }

    /// The diagnostics of the newest text of the file that was opened or changed last.
    fn checked(&mut self, f: &File) -> Vec<Json> {
        let start = Instant::now();
        while self.diagnostics.get(&f.uri).and_then(|d| d.0) != Some(i64::from(self.version)) {
            assert!(start.elapsed() < PATIENCE, "no diagnostics of version {}", self.version);
            self.message();
        }
        self.diagnostics[&f.uri].1.as_array().expect("a list").clone()
    }

    fn stop(mut self) {
        self.ask("shutdown", Json::Null);
        let (code, _) = self.refused("textDocument/hover", json!({}));
        assert_eq!(code, -32600, "nothing is served after `shutdown`");
        self.tell("exit", Json::Null);
        assert_eq!(self.child.wait().expect("it ends").code(), Some(0));
    }
}

impl Drop for Editor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An open file.
struct File {
    uri: String,
    text: String,
}

impl File {
    /// The position of a byte.
    fn position(&self, byte: usize) -> Json {
        let before = &self.text[..byte];
        let line = before.matches('\n').count();
        let column = before.rsplit('\n').next().unwrap_or_default().encode_utf16().count();
        json!({ "line": line, "character": column })
    }

    /// Where the text `what` stands, `|` in it being the place: `con|v(width`.
    #[track_caller]
    fn find(&self, what: &str) -> usize {
        let at = what.find('|').expect("a place in the text");
        let plain = what.replacen('|', "", 1);
        let mut all = self.text.match_indices(&plain);
        let first = all.next().unwrap_or_else(|| panic!("`{plain}` is in the text")).0;
        assert!(all.next().is_none(), "`{plain}` stands once in the text");
        first + at
    }

    #[track_caller]
    fn at(&self, what: &str) -> Json {
        json!({ "textDocument": { "uri": self.uri }, "position": self.position(self.find(what)) })
    }

    fn whole(&self) -> Json {
        json!({ "textDocument": { "uri": self.uri } })
    }

    fn byte(&self, p: &Json) -> usize {
        let (line, column) = (p["line"].as_u64().expect("a line") as usize, p["character"].as_u64().expect("a column"));
        let start: usize = self.text.split_inclusive('\n').take(line).map(str::len).sum();
        let mut units = 0;
        for (i, c) in self.text[start..].char_indices() {
            if units >= column {
                return start + i;
            }
            units += c.len_utf16() as u64;
        }
        self.text.len()
    }

    fn slice(&self, range: &Json) -> &str {
        &self.text[self.byte(&range["start"])..self.byte(&range["end"])]
    }

    /// The text with edits.
    fn edited(&self, edits: &Json) -> String {
        let mut all: Vec<(usize, usize, &str)> = edits
            .as_array()
            .expect("edits")
            .iter()
            .map(|e| {
                let r = &e["range"];
                (self.byte(&r["start"]), self.byte(&r["end"]), e["newText"].as_str().expect("text"))
            })
            .collect();
        all.sort_unstable();
        let mut text = self.text.clone();
        for (from, to, new) in all.into_iter().rev() {
            text.replace_range(from..to, new);
        }
        text
    }
}

const NET: &str = "\
use std.ops.*
use std.strategies.random_search

// Two sizes of one thing.
space small(image[N, C, H, W], classes: int, width: int = 16) {
  let k = choose kernel from [1, 3]
  motif cell(c: int) = choose op { narrow: conv(c, k) | wide: conv(c, 5) }
  let x = image >> conv(width, 3) >> cell(width)
  x >> relu >> global_avg_pool >> linear(classes)
}

fn best_kernel(c: candidate) -> candidate {
  for d in c.decisions(\"**.kernel\") { log(d.name) }
  c
}

search tiny {
  data     = digits()
  space    = small(width = 8)
  strategy = random_search()
}
";

fn labels(items: &Json) -> Vec<String> {
    let all = items.as_array().expect("a list");
    all.iter().map(|i| i["label"].as_str().expect("a label").to_string()).collect()
}

#[test]
fn diagnostics_come_with_codes_places_and_fixes() {
    let mut e = Editor::start();
    let mut f = e.open("net.nas", &NET.replace("linear(classes)", "linaer(classes)"));
    let all = e.checked(&f);
    assert_eq!(all.len(), 1, "{all:?}");
    let d = &all[0];
    assert_eq!(
        (d["code"].as_str(), d["severity"].as_i64(), d["source"].as_str()),
        (Some("E0203"), Some(1), Some("nasc"))
    );
    assert_eq!(f.slice(&d["range"]), "linaer");
    let context = json!({ "diagnostics": [d] });
    let actions = e.ask(
        "textDocument/codeAction",
        json!({ "textDocument": { "uri": f.uri }, "range": d["range"], "context": context }),
    );
    let fix = &actions[0];
    assert_eq!((fix["title"].as_str(), fix["kind"].as_str()), (Some("write `linear`"), Some("quickfix")));
    assert_eq!(f.edited(&fix["edit"]["changes"][&f.uri]), NET);
    // The mended text has nothing to complain about but the function that nothing uses.
    e.replace(&mut f, NET);
    assert_eq!(e.checked(&f), Vec::<Json>::new());
    // A shape that does not fit has its other places.
    e.replace(&mut f, &NET.replace("x >> relu", "x + image >> relu"));
    let all = e.checked(&f);
    assert!(all.iter().any(|d| d["relatedInformation"].as_array().is_some_and(|r| !r.is_empty())), "{all:?}");
    e.stop();
}

#[test]
fn a_missing_use_and_an_unused_one_are_mended() {
    let mut e = Editor::start();
    let text = NET.replace("use std.ops.*\n", "use std.spaces.darts\n");
    let mut f = e.open("net.nas", &text);
    for (code, title, mended) in [
        ("E0203", "use `std.ops`", text.replacen("search\n\n", "search\nuse std.ops.*\n\n", 1)),
        (
            "W0507",
            "delete the `use`",
            text.replacen("search\n\n", "search\nuse std.ops.*\n\n", 1).replace("use std.spaces.darts\n", ""),
        ),
    ] {
        let all = e.checked(&f);
        let d = all.iter().find(|d| d["code"] == code).unwrap_or_else(|| panic!("{code} in {all:?}")).clone();
        let params = json!({ "textDocument": { "uri": f.uri }, "range": d["range"], "context": { "diagnostics": [] } });
        let actions = e.ask("textDocument/codeAction", params);
        let all = actions.as_array().expect("actions");
        let fix = all.iter().find(|a| a["title"] == title).unwrap_or_else(|| panic!("{title} in {all:?}"));
        let got = f.edited(&fix["edit"]["changes"][&f.uri]);
        assert_eq!(got, mended);
        e.replace(&mut f, &got);
    }
    e.stop();
}

#[test]
fn hover_tells_what_a_name_is() {
    let mut e = Editor::start();
    let f = e.open("net.nas", NET);
    e.checked(&f);
    let mut hover = |what: &str| {
        let h = e.ask("textDocument/hover", f.at(what));
        h["contents"]["value"].as_str().unwrap_or_default().to_string()
    };
    let conv = hover("image >> co|nv(");
    assert!(conv.contains("primitive conv(x[N, C, H, W], out: int") && conv.contains("*std.ops*"), "{conv}");
    assert!(conv.contains("shape `[N, 8, 8, 8]`"), "{conv}");
    assert!(hover("|image >>").contains("image[N, C, H, W]"));
    assert!(hover("conv(|width, 3)").contains("width: int = 16"));
    assert!(hover("c, |k)").contains("let k = choose kernel"));
    let decision = hover("choose ker|nel");
    assert!(decision.contains("kernel`: 1, 3") || decision.contains("`kernel`"), "{decision}");
    assert!(hover("= choose| op").contains("cell.op"), "{}", hover("= choose| op"));
    assert!(hover("|decisions(").contains("candidate.decisions("));
    assert!(hover("dig|its()").contains("digits()"));
    assert_eq!(hover("// Two| sizes"), "");
    e.stop();
}

#[test]
fn completion_knows_the_place() {
    let mut e = Editor::start();
    let mut f = e.open("net.nas", NET);
    e.checked(&f);
    let complete = |e: &mut Editor, f: &mut File, from: &str, to: &str, what: &str| {
        e.replace(f, &NET.replace(from, to));
        // Members are known by the types that the check finds.
        e.checked(f);
        e.ask("textDocument/completion", f.at(what))
    };
    // Broken text, too.
    let all = complete(&mut e, &mut f, "x >> relu >>", "x >> ", "x >> | global");
    let names = labels(&all);
    for wanted in ["conv", "x", "k", "width", "cell", "concat", "choose"] {
        assert!(names.iter().any(|n| n == wanted), "{wanted} in {names:?}");
    }
    assert!(!names.iter().any(|n| n == "evaluate_all"), "architectures make no trials");
    let conv = all.as_array().expect("a list").iter().find(|i| i["label"] == "conv").expect("conv");
    assert!(conv["detail"].as_str().is_some_and(|d| d.starts_with("primitive conv(")), "{conv}");
    let stem = all.as_array().expect("a list").iter().find(|i| i["label"] == "stem").expect("what can be imported");
    assert_eq!(stem["additionalTextEdits"][0]["newText"], "use std.adapters.stem\n");
    let names = labels(&complete(&mut e, &mut f, "conv(width, 3)", "conv(width, )", "conv(width, |)"));
    assert!(names.iter().any(|n| n == "stride") && names.iter().any(|n| n == "dilation"), "{names:?}");
    let names =
        labels(&complete(&mut e, &mut f, "use std.strategies.random_search", "use std.strategies.", "strategies.|"));
    assert!(names.iter().any(|n| n == "aging_evolution"), "{names:?}");
    let names = labels(&complete(&mut e, &mut f, "use std.ops.*", "use std.", "use std.|\n"));
    assert!(names.iter().any(|n| n == "ops") && names.iter().any(|n| n == "spaces"), "{names:?}");
    let names = labels(&complete(&mut e, &mut f, "log(d.name)", "log(d.)", "log(d.|)"));
    assert!(names.iter().any(|n| n == "arity"), "{names:?}");
    let names = labels(&complete(&mut e, &mut f, "\"**.kernel\"", "\"\"", "\"|\""));
    assert!(names.iter().any(|n| n == "**.kernel") && names.iter().any(|n| n == "cell.op"), "{names:?}");
    let names = labels(&complete(
        &mut e,
        &mut f,
        "strategy = random_search()\n",
        "strategy = random_search()\n  b\n",
        "  b|\n}",
    ));
    assert!(names.iter().any(|n| n == "budget") && !names.iter().any(|n| n == "strategy"), "{names:?}");
    let names = labels(&complete(&mut e, &mut f, "data     = digits()", "data     = ", "data     = |"));
    assert!(names.iter().any(|n| n == "mnist"), "{names:?}");
    let names = labels(&complete(&mut e, &mut f, "c: candidate)", "c: )", "best_kernel(c: |)"));
    assert!(names.iter().any(|n| n == "trial") && names.iter().any(|n| n == "int"), "{names:?}");
    assert_eq!(complete(&mut e, &mut f, "one thing", "one thing", "one |thing"), json!([]));
    e.stop();
}

#[test]
fn names_lead_to_their_declarations_and_uses() {
    let mut e = Editor::start();
    let f = e.open("net.nas", NET);
    let local = e.ask("textDocument/definition", f.at("conv(c, |k)"));
    assert_eq!((local["uri"].as_str(), f.slice(&local["range"])), (Some(f.uri.as_str()), "k"));
    let item = e.ask("textDocument/definition", f.at("space    = sm|all"));
    assert_eq!(item["range"]["start"]["line"], 4);
    let named = e.ask("textDocument/definition", f.at("small(wi|dth"));
    assert_eq!(named["range"]["start"]["line"], 4, "an argument's name leads to the parameter");
    // The standard library is a file that can be opened.
    for (what, word) in [
        ("image >> co|nv", "conv"),
        ("random_sea|rch()", "random_search"),
        ("strategies.random_|search", "random_search"),
    ] {
        let there = e.ask("textDocument/definition", f.at(what));
        let path = there["uri"].as_str().and_then(|u| u.strip_prefix("file://")).expect("a file");
        let text = std::fs::read_to_string(path).expect("written");
        let target = File { uri: path.to_string(), text };
        assert_eq!(target.slice(&there["range"]), word);
    }
    let uses = e.ask("textDocument/references", {
        let mut p = f.at("small(image[N, C, H, W], classes: int, wi|dth");
        p["context"] = json!({ "includeDeclaration": true });
        p
    });
    assert_eq!(uses.as_array().map(Vec::len), Some(4), "declaration, two uses, an argument: {uses}");
    let uses = e.ask("textDocument/references", {
        let mut p = f.at("image >> co|nv");
        p["context"] = json!({ "includeDeclaration": false });
        p
    });
    let all = uses.as_array().expect("places");
    assert!(all.iter().filter(|l| l["uri"] == f.uri.as_str()).count() == 3, "{uses}");
    assert!(all.iter().any(|l| l["uri"].as_str().is_some_and(|u| u.ends_with("std/ops.nas"))), "{uses}");
    let marks = e.ask("textDocument/documentHighlight", f.at("let |x ="));
    assert_eq!(marks.as_array().map(Vec::len), Some(2));
    e.stop();
}

#[test]
fn library_files_can_be_walked_on_from() {
    let mut e = Editor::start();
    let f = e.open("net.nas", "use std.spaces.nasnet\nuse std.ops.*\n");
    let there = e.ask("textDocument/definition", f.at("spaces.nas|net"));
    let uri = there["uri"].as_str().expect("a file").to_string();
    let text = std::fs::read_to_string(uri.strip_prefix("file://").expect("a file")).expect("written");
    let document = json!({ "uri": uri, "languageId": "nas", "version": 1, "text": text });
    e.tell("textDocument/didOpen", json!({ "textDocument": document }));
    let g = File { uri, text };
    let ops = e.ask("textDocument/definition", g.at("identity: if stride == 1 { identity } else { factorized_|reduce"));
    assert!(ops["uri"].as_str().is_some_and(|u| u.ends_with("std/ops.nas")), "{ops}");
    let (code, message) = e.refused("textDocument/rename", {
        let mut p = g.at("block oper|ation(");
        p["newName"] = json!("other");
        p
    });
    assert_eq!(code, -32803);
    assert!(message.contains("standard library"), "{message}");
    e.stop();
}

#[test]
fn renaming_follows_the_meaning() {
    let mut e = Editor::start();
    let f = e.open("net.nas", NET);
    let rename = |e: &mut Editor, what: &str, new: &str| {
        let mut p = f.at(what);
        p["newName"] = json!(new);
        let r = e.ask("textDocument/rename", p);
        f.edited(&r["changes"][&f.uri])
    };
    assert_eq!(rename(&mut e, "conv(c, |k)", "size"), NET.replace("let k", "let size").replace("c, k", "c, size"));
    assert_eq!(rename(&mut e, "small(|width", "channels"), NET.replace("width", "channels"));
    // A decision, with the selector that names it.
    assert_eq!(
        rename(&mut e, "choose ker|nel", "window"),
        NET.replace("choose kernel", "choose window").replace("**.kernel", "**.window")
    );
    let prepared = e.ask("textDocument/prepareRename", f.at("motif ce|ll"));
    assert_eq!(prepared["placeholder"], "cell");
    for (what, new, part) in [
        ("conv(c, |k)", "x", "already"),
        ("conv(c, |k)", "choose", "word of the language"),
        ("conv(c, |k)", "1a", "not a name"),
        ("image >> co|nv", "convolution", "standard library"),
    ] {
        let mut p = f.at(what);
        p["newName"] = json!(new);
        let (code, message) = e.refused("textDocument/rename", p);
        assert!(code == -32803 && message.contains(part), "{new}: {message}");
    }
    e.stop();
}

#[test]
fn files_see_each_others_unsaved_text() {
    let mut e = Editor::start();
    let mut lib = e.open("parts.nas", "use std.ops.*\n\nblock part(c: int) = conv(c, 3) >> relu\n");
    let f = e.open(
        "net.nas",
        &NET.replace("use std.ops.*", "use std.ops.*\nuse parts.part").replace("x >> relu", "x >> part(8)"),
    );
    assert_eq!(e.checked(&f), Vec::<Json>::new());
    let there = e.ask("textDocument/definition", f.at("pa|rt(8)"));
    assert_eq!(there["uri"], lib.uri.as_str());
    let mut p = f.at("pa|rt(8)");
    p["newName"] = json!("piece");
    let r = e.ask("textDocument/rename", p);
    assert!(lib.edited(&r["changes"][&lib.uri]).contains("block piece("), "{r}");
    assert!(f.edited(&r["changes"][&f.uri]).contains("use parts.piece"), "{r}");
    // The other file is checked again when this one changes, though nothing is saved.
    let old = e.version;
    e.diagnostics.clear();
    e.replace(&mut lib, "use std.ops.*\n\nblock party(c: int) = conv(c, 3) >> relu\n");
    while e.diagnostics.get(&f.uri).is_none_or(|d| d.1 == json!([])) {
        e.message();
    }
    assert_eq!(e.diagnostics[&f.uri].0, Some(i64::from(old)));
    e.stop();
}

#[test]
fn outline_folds_and_selections() {
    let mut e = Editor::start();
    let f = e.open("net.nas", NET);
    let outline = e.ask("textDocument/documentSymbol", f.whole());
    let names = |v: &Json| -> Vec<String> {
        v.as_array()
            .map(|a| a.iter().map(|s| s["name"].as_str().unwrap_or_default().to_string()).collect())
            .unwrap_or_default()
    };
    assert_eq!(names(&outline), ["small", "best_kernel", "tiny"]);
    assert_eq!(names(&outline[0]["children"]), ["kernel", "cell"]);
    assert_eq!(names(&outline[0]["children"][1]["children"]), ["op"]);
    assert_eq!(names(&outline[2]["children"]), ["data", "space", "strategy"]);
    let found = e.ask("workspace/symbol", json!({ "query": "bstk" }));
    assert_eq!(names(&found), ["best_kernel"]);
    let folds = e.ask("textDocument/foldingRange", f.whole());
    let lines: Vec<(u64, u64)> = folds
        .as_array()
        .expect("folds")
        .iter()
        .filter_map(|r| Some((r["startLine"].as_u64()?, r["endLine"].as_u64()?)))
        .collect();
    assert!(lines.contains(&(0, 1)) && lines.contains(&(4, 8)), "{lines:?}");
    let mut p = f.whole();
    p["positions"] = json!([f.position(f.find("conv(wi|dth"))]);
    let mut s = &e.ask("textDocument/selectionRange", p)[0];
    let mut texts = Vec::new();
    while s.is_object() {
        texts.push(f.slice(&s["range"]).to_string());
        s = &s["parent"];
    }
    assert_eq!(&texts[..3], ["width", "width, 3", "(width, 3)"], "{texts:?}");
    assert_eq!(texts.last().map(String::as_str), Some(NET));
    // An outline is there while a body is broken.
    let g = e.open("broken.nas", &NET.replace("x >> relu >>", "x >> ) >>"));
    assert_eq!(names(&e.ask("textDocument/documentSymbol", g.whole())), ["small", "best_kernel", "tiny"]);
    e.stop();
}

#[test]
fn colours_hints_and_signatures() {
    let mut e = Editor::start();
    let f = e.open("net.nas", NET);
    e.checked(&f);
    let tokens = e.ask("textDocument/semanticTokens/full", f.whole());
    let data: Vec<u64> = tokens["data"].as_array().expect("numbers").iter().filter_map(Json::as_u64).collect();
    assert!(data.len() > 200 && data.len().is_multiple_of(5));
    let (mut line, mut column) = (0, 0);
    let mut seen = BTreeMap::new();
    for t in data.chunks(5) {
        if t[0] > 0 {
            column = 0;
        }
        line += t[0];
        column += t[1];
        let range = json!({ "start": { "line": line, "character": column }, "end": { "line": line, "character": column + t[2] } });
        seen.entry(f.slice(&range).to_string()).or_insert((t[3], t[4]));
    }
    assert_eq!(seen["choose"], (0, 0), "a keyword");
    assert_eq!(seen["kernel"], (11, 1), "a decision");
    assert_eq!(seen["narrow"], (10, 0), "an option");
    assert_eq!(seen["conv"], (5, 2), "an operation of the library");
    assert_eq!(seen["cell"], (5, 1), "an operation that is declared");
    assert_eq!(seen["image"], (7, 1), "a parameter");
    let hints = e.ask("textDocument/inlayHint", {
        let mut p = f.whole();
        p["range"] = json!({ "start": { "line": 0, "character": 0 }, "end": { "line": 99, "character": 0 } });
        p
    });
    let shown: Vec<(u64, &str)> = hints
        .as_array()
        .expect("hints")
        .iter()
        .map(|h| (h["position"]["line"].as_u64().expect("a line"), h["label"].as_str().expect("a label")))
        .collect();
    assert!(shown.contains(&(16, "≈ 4 architectures, 2 decisions")), "{shown:?}");
    assert!(shown.contains(&(7, "[N, 8, 8, 8]")) && shown.contains(&(8, "[N, 10]")), "{shown:?}");
    let mut g = f;
    e.replace(&mut g, &NET.replace("conv(width, 3)", "conv(width, 3, )"));
    let help = e.ask("textDocument/signatureHelp", g.at("conv(width, 3, |)"));
    assert_eq!(help["signatures"][0]["parameters"][3]["label"], "stride: int = 1");
    assert_eq!(help["activeParameter"], 3);
    e.replace(&mut g, &NET.replace("conv(width, 3)", "conv(width, dilation = 2)"));
    let help = e.ask("textDocument/signatureHelp", g.at("dilation = |2"));
    assert_eq!(help["activeParameter"], 4);
    e.replace(&mut g, &NET.replace("log(d.name)", "log()"));
    let help = e.ask("textDocument/signatureHelp", g.at("log(|)"));
    assert!(help["signatures"][0]["label"].as_str().is_some_and(|l| l.starts_with("log(value")), "{help}");
    e.stop();
}

#[test]
fn formatting_is_that_of_the_command() {
    let mut e = Editor::start();
    let text =
        NET.replace("width: int = 16", "width:int=16").replace("  let k  = ", "  let k = ").replace("  c\n", "    c\n");
    let f = e.open("net.nas", &text);
    let options = json!({ "tabSize": 2, "insertSpaces": true });
    let mut p = f.whole();
    p["options"] = options.clone();
    let edits = e.ask("textDocument/formatting", p.clone());
    assert_eq!(edits.as_array().map(Vec::len), Some(2), "only what changes: {edits}");
    assert_eq!(f.edited(&edits), NET);
    p["range"] = json!({ "start": { "line": 4, "character": 0 }, "end": { "line": 5, "character": 0 } });
    let edits = e.ask("textDocument/rangeFormatting", p);
    assert_eq!(f.edited(&edits), NET.replace("  c\n", "    c\n"));
    // What does not parse stays.
    let g = e.open("broken.nas", "space {");
    let mut p = g.whole();
    p["options"] = options;
    assert_eq!(e.ask("textDocument/formatting", p), json!([]));
    e.stop();
}

#[test]
fn columns_count_what_was_agreed() {
    let text = "// äö𝄞\nspace s(x[N, C]) { x >> linaer(3) } // ä\n";
    for (encodings, chosen) in [(json!(["utf-16"]), "utf-16"), (json!(["utf-16", "utf-8"]), "utf-8")] {
        let mut e = Editor::spawn();
        let capabilities = json!({ "general": { "positionEncodings": encodings } });
        let r = e.ask("initialize", json!({ "processId": null, "rootUri": null, "capabilities": capabilities }));
        assert_eq!(r["capabilities"]["positionEncoding"], chosen);
        e.tell("initialized", json!({}));
        let mut f = e.open("a.nas", text);
        let before = e.checked(&f);
        assert!(!before.is_empty());
        // A change in the comment, behind characters of several bytes and units.
        let column = if chosen == "utf-8" { 3 + 2 + 2 + 4 } else { 3 + 1 + 1 + 2 };
        let at = json!({ "line": 0, "character": column });
        e.version += 1;
        let change = json!({ "range": { "start": at, "end": at }, "text": "!\n" });
        let document = json!({ "uri": f.uri, "version": e.version });
        e.tell("textDocument/didChange", json!({ "textDocument": document, "contentChanges": [change] }));
        f.text = text.replacen("𝄞", "𝄞!\n", 1);
        let after = e.checked(&f);
        assert_eq!(
            after[0]["range"]["start"]["line"],
            before[0]["range"]["start"]["line"].as_u64().expect("a line") + 1
        );
        assert_eq!(f.slice(&after[0]["range"]), "linaer");
        e.stop();
    }
}

#[test]
fn nothing_malformed_ends_the_server() {
    let mut e = Editor::spawn();
    // Before `initialize`.
    assert_eq!(e.refused("textDocument/hover", json!({})).0, -32002);
    e.tell("textDocument/didOpen", json!({ "textDocument": 3 }));
    for bytes in [
        &b"Content-Length: 3\r\n\r\n{{{"[..],
        b"Content-Length: nine\r\n\r\n",
        b"hello\r\n\r\n",
        b"Content-Length: 2\r\n\r\n[]",
        b"Content-Length: 4\r\n\r\n\xff\xfe\xfd\xfc",
        b"Content-Length: 8\r\n\r\n{\"id\":7}",
    ] {
        e.raw(bytes);
        let m = e.message();
        assert!(m["error"]["code"].as_i64().is_some_and(|c| c == -32700 || c == -32600), "{m}");
    }
    let root = e.uri("");
    e.ask("initialize", json!({ "processId": null, "rootUri": root, "capabilities": {} }));
    assert_eq!(e.refused("initialize", json!({ "capabilities": {} })).0, -32600, "once is enough");
    e.tell("initialized", json!({}));
    assert_eq!(e.refused("textDocument/hover", json!({ "position": "here" })).0, -32602);
    assert_eq!(e.refused("textDocument/hover", Json::Null).0, -32602);
    assert_eq!(e.refused("textDocument/none", json!({})).0, -32601);
    let nowhere =
        json!({ "textDocument": { "uri": "file:///not/open.nas" }, "position": { "line": 0, "character": 0 } });
    assert_eq!(e.refused("textDocument/hover", nowhere).0, -32602);
    for (method, params) in [
        ("textDocument/didOpen", json!({ "textDocument": {} })),
        (
            "textDocument/didChange",
            json!({ "textDocument": { "uri": "file:///x.nas", "version": 1 }, "contentChanges": [] }),
        ),
        ("textDocument/didClose", json!({ "textDocument": { "uri": "file:///x.nas" } })),
        ("$/setTrace", json!({ "value": "off" })),
        ("nothing/known", json!([1, 2])),
    ] {
        e.tell(method, params);
    }
    // Positions outside of the text, in every request that has one.
    let f = e.open("a.nas", "space s(x[N]) { x }\n");
    e.ask("textDocument/codeLens", f.whole());
    for method in ["hover", "completion", "definition", "signatureHelp", "documentHighlight"] {
        for (line, character) in [(0, 9999), (9999, 0), (u32::MAX, u32::MAX)] {
            let mut p = f.whole();
            p["position"] = json!({ "line": line, "character": character });
            e.ask(&format!("textDocument/{method}"), p);
        }
    }
    e.stop();
}

#[test]
fn requests_interleave_and_can_be_cancelled() {
    let mut e = Editor::start();
    let mut f = e.open("net.nas", NET);
    // A burst in one write: changes, requests, and the cancellation of some.
    let mut burst = Vec::new();
    let mut add = |m: Json| {
        let body = m.to_string();
        burst.extend_from_slice(format!("Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes());
    };
    for n in 0..40 {
        let text = format!("{NET}// {n}\n");
        e.version += 1;
        let document = json!({ "uri": f.uri, "version": e.version });
        add(json!({ "jsonrpc": "2.0", "method": "textDocument/didChange",
            "params": { "textDocument": document, "contentChanges": [{ "text": text }] } }));
        add(
            json!({ "jsonrpc": "2.0", "id": format!("r{n}"), "method": "textDocument/semanticTokens/full", "params": f.whole() }),
        );
        f.text = text;
    }
    for n in 20..40 {
        add(json!({ "jsonrpc": "2.0", "method": "$/cancelRequest", "params": { "id": format!("r{n}") } }));
    }
    e.raw(&burst);
    let (mut good, mut cancelled) = (0, 0);
    while good + cancelled < 40 {
        let m = e.message();
        if m["id"].as_str().is_some_and(|i| i.starts_with('r')) {
            match m["error"]["code"].as_i64() {
                None => good += 1,
                Some(-32800) => cancelled += 1,
                other => panic!("{other:?}: {m}"),
            }
        }
    }
    assert!(good >= 20, "those that nobody cancelled are answered: {good}");
    // Cancelling what is done, or never was, is nothing.
    e.tell("$/cancelRequest", json!({ "id": "r1" }));
    e.tell("$/cancelRequest", json!({ "id": 12345 }));
    assert_eq!(e.checked(&f), Vec::<Json>::new(), "the newest text is checked in the end");
    e.stop();
}

/// Typing any prefix of a file, and any damage to it, is answered.
#[test]
fn half_written_files_are_served() {
    let mut e = Editor::start();
    let mut f = e.open("net.nas", "");
    let step = NET.len() / 60 + 1;
    let cuts = (0..NET.len()).step_by(step).filter(|&i| NET.is_char_boundary(i));
    for (n, cut) in cuts.enumerate() {
        let text = if n % 2 == 0 {
            NET[..cut].to_string()
        } else {
            format!("{}{}", &NET[..cut], &NET[(cut + 7).min(NET.len())..])
        };
        e.replace(&mut f, &text);
        let mut p = f.whole();
        p["position"] = f.position(cut.min(f.text.len()));
        for method in ["hover", "completion", "definition", "signatureHelp", "documentHighlight"] {
            e.ask(&format!("textDocument/{method}"), p.clone());
        }
        for method in ["documentSymbol", "foldingRange", "semanticTokens/full"] {
            e.ask(&format!("textDocument/{method}"), f.whole());
        }
    }
    e.stop();
}

#[test]
fn the_end_of_the_stream_ends_the_server() {
    let mut e = Editor::start();
    drop(e.input.take());
    let start = Instant::now();
    while e.child.try_wait().expect("known").is_none() {
        assert!(start.elapsed() < Duration::from_secs(10), "it ends with its editor");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(Path::new(&e.path("")).is_dir());
}

#[test]
fn lenses_name_their_file_and_search() {
    let mut e = Editor::start();
    let f = e.open("net.nas", NET);
    let all = e.ask("textDocument/codeLens", f.whole());
    let shown: Vec<(&str, &str, &str)> = all
        .as_array()
        .expect("lenses")
        .iter()
        .map(|l| {
            let c = &l["command"];
            assert_eq!(c["arguments"][0]["file"], e.path("net.nas").display().to_string());
            let text = |v: &'static str| c[v].as_str().expect("text");
            (text("title"), text("command"), c["arguments"][0]["name"].as_str().expect("a name"))
        })
        .collect();
    let expected = [
        ("check", "nas.check", "small"),
        ("check", "nas.check", "tiny"),
        ("run", "nas.run", "tiny"),
        ("show candidate", "nas.show", "tiny"),
    ];
    assert_eq!(shown, expected);
    assert_eq!(f.slice(&all[2]["range"]), "tiny");
    e.stop();
}

/// Applies the first quick fix of a code until nothing is wrong.
fn mended(e: &mut Editor, text: &str, code: &str) -> String {
    let mut f = e.open("mend.nas", text);
    let all = e.checked(&f);
    let d = all.iter().find(|d| d["code"] == code).unwrap_or_else(|| panic!("{code} in {all:?}")).clone();
    let params = json!({ "textDocument": { "uri": f.uri }, "range": d["range"], "context": { "diagnostics": [] } });
    let actions = e.ask("textDocument/codeAction", params);
    assert_eq!(actions[0]["diagnostics"][0]["code"], code, "{actions}");
    let new = f.edited(&actions[0]["edit"]["changes"][&f.uri]);
    e.replace(&mut f, &new);
    assert_eq!(e.checked(&f), Vec::<Json>::new(), "{new}");
    new
}

#[test]
fn shapes_get_adapters_and_a_motif_becomes_a_block() {
    let mut e = Editor::start();
    let space = |uses: &str, body: &str| {
        format!(
            "use std.ops.*\n{uses}\nspace s(image[N, C, H, W], classes: int) {{\n{body}}}\n\nsearch t {{\n  data  = digits()\n  space = s()\n}}\n"
        )
    };
    let channels = "  let a = image >> conv(16, 3)\n  let b = image >> choose op { n: conv(16, 1) | w: conv(32, 1) }\n  a + b >> global_avg_pool >> linear(classes)\n";
    let got = mended(&mut e, &space("", channels), "E0401");
    assert_eq!(got, space("", &channels.replace("a + b", "a + fit(b, shape(a)[1])")));
    let sizes = "  let a = image >> conv(16, 3)\n  let b = image >> conv(16, choose k from [1, 3], stride = 2)\n  a + b >> global_avg_pool >> linear(classes)\n";
    let got = mended(&mut e, &space("", sizes), "E0401");
    let adapted = sizes.replace("a + b", "sum(pad_to_largest([a, b]))");
    assert_eq!(got, space("use std.adapters.pad_to_largest\n", &adapted));
    let list = sizes.replace("a + b", "concat([a, b])");
    let got = mended(&mut e, &space("", &list), "E0401");
    assert_eq!(
        got,
        space("use std.adapters.pad_to_largest\n", &sizes.replace("a + b", "concat(pad_to_largest([a, b]))"))
    );
    let motif = "  motif stage(c: int) = conv(choose width from [c, 2 * c], 3)\n  image >> stage(8) >> stage(16) >> global_avg_pool >> linear(classes)\n";
    let got = mended(&mut e, &space("", motif), "E0502");
    assert_eq!(got, space("", &motif.replace("motif", "block")));
    e.stop();
}

#[test]
fn decisions_are_renamed_in_the_files_that_use_them() {
    let mut e = Editor::start();
    let space = NET.split_once("\nfn best").expect("the space").0;
    let lib = e.open("nets.nas", space);
    let search =
        "use nets.small\n\nstrategy walk() {\n  for d in random().decisions(\"**.kernel\") { log(d.name) }\n}\n";
    let f = e.open("use.nas", search);
    let mut p = lib.at("choose ker|nel");
    p["newName"] = json!("window");
    let r = e.ask("textDocument/rename", p);
    assert_eq!(lib.edited(&r["changes"][&lib.uri]), space.replace("choose kernel", "choose window"));
    assert_eq!(f.edited(&r["changes"][&f.uri]), search.replace("**.kernel", "**.window"));
    e.stop();
}

/// What is known of a text does not depend on the texts before it.
#[test]
fn checks_after_edits_are_those_of_a_fresh_file() {
    let mut e = Editor::start();
    let mut f = e.open("net.nas", NET);
    e.checked(&f);
    let hints = |e: &mut Editor, f: &File| {
        let mut p = f.whole();
        p["range"] = json!({ "start": { "line": 0, "character": 0 }, "end": { "line": 999, "character": 0 } });
        e.ask("textDocument/inlayHint", p)
    };
    let steps: &[(&str, &str)] = &[
        ("use std.ops.*\n", "// A line above.\n\nuse std.ops.*\n"),
        ("[1, 3]", "[1, 3, 5]"),
        ("x >> relu", "x + image >> relu"),
        ("// Two sizes", "// Two, or more, sizes"),
        ("fn best_kernel", "block twice(c: int) = conv(c, 3) >> conv(c, 3)\n\nfn best_kernel"),
        ("x + image >> relu", "x >> twice(4) >> relu"),
        ("conv(c, 3) >> conv(c, 3)", "conv(c, 3) >> conv(c, 3, stride = 2)"),
        ("block twice", "block thrice"),
        ("x >> twice(4)", "x >> thrise(4)"),
        ("block thrice", "block thrise"),
        ("x >> thrise(4) >> relu", "x >> (thrise(4) >> relu"),
        ("x >> (thrise(4) >> relu", "x >> thrise(4) >> relu"),
        ("use std.strategies.random_search\n", "use std.strategies.random_search\nuse std.spaces.darts\n"),
        ("space    = small(width = 8)", "space    = small(width = 8, depth = 3)"),
        ("width: int = 16)", "width: int = 16, depth: int = 2)"),
        ("  c\n}\n", "  c\n}\n\nstrategy walk() {\n  submit(best_kernel(random()))\n}\n"),
        ("strategy = random_search()", "strategy = walk()"),
        ("log(d.name)", "log(d.nome)"),
        ("submit(", "sumbit("),
        ("log(d.nome)", "log(d.name)"),
        ("use std.spaces.darts\n", ""),
        ("sumbit(", "submit("),
    ];
    let mut seen = 0;
    for (n, (from, to)) in steps.iter().enumerate() {
        assert!(f.text.contains(from), "step {n}: `{from}` in {}", f.text);
        let text = f.text.replacen(from, to, 1);
        e.replace(&mut f, &text);
        let old = e.version;
        let got = e.checked(&f);
        let got_hints = hints(&mut e, &f);
        let fresh = e.open(&format!("fresh{n}.nas"), &text);
        let wanted = e.checked(&fresh);
        let same = |all: &[Json]| -> Vec<Json> {
            let mut all = all.to_vec();
            // The related places name the file.
            for d in &mut all {
                if let Some(r) = d["relatedInformation"].as_array_mut() {
                    r.iter_mut().for_each(|r| r["location"]["uri"] = Json::Null);
                }
            }
            all
        };
        assert_eq!(same(&got), same(&wanted), "step {n}: {from} to {to}, version {old}");
        assert_eq!(got_hints, hints(&mut e, &fresh), "step {n}");
        seen += usize::from(!got.is_empty());
    }
    assert!(seen > 8 && seen < steps.len(), "some texts are right and some are wrong: {seen}");
    e.stop();
}

/// Errors recover where declarations and statements begin.
#[test]
fn broken_files_have_names_and_outline() {
    let mut e = Editor::start();
    let mut f = e.open("net.nas", NET);
    for (from, to) in [
        ("let k = choose kernel from [1, 3]", "let k = choose kernel from [1, "),
        ("let k = choose kernel from [1, 3]", "let k = choose kernel from [1, 3]\n  let = 4 4"),
        ("fn best_kernel(c: candidate) -> candidate {", "fn best_kernel(c: candidate -> {"),
        ("data     = digits()", "data     = digits("),
    ] {
        let text = NET.replace(from, to).replace(">> global_avg_pool", ">> gl");
        e.replace(&mut f, &text);
        let names = labels(&e.ask("textDocument/completion", f.at("relu >> gl|")));
        for wanted in ["global_avg_pool", "x", "cell", "width"] {
            assert!(names.iter().any(|n| n == wanted), "{wanted} after {to}");
        }
        let outline = e.ask("textDocument/documentSymbol", f.whole());
        let all: Vec<&str> = outline.as_array().expect("symbols").iter().filter_map(|s| s["name"].as_str()).collect();
        assert_eq!(all, ["small", "best_kernel", "tiny"], "after {to}");
    }
    e.stop();
}
