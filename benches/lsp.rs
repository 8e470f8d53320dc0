//! How long an editor waits for a keystroke in a long file: `cargo bench --bench lsp [-- LINES [DATA.csv]]`.
//!
//! Starts `nasc lsp` and types into a file of 2,000 lines: one character, back, and so on, at several places. Printed are
//! milliseconds from the change to the diagnostics of that very text, and from the change to the answer of a request that
//! is sent with it: the median and the worst of all keystrokes. Where much has to be checked anew, the server shows first what
//! it knows so far. `work` is what the server's threads computed for a keystroke, all of its check included: what the time
//! would be on a machine that does nothing else.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

/// Keystrokes at each place.
const KEYS: usize = 60;

/// What a project's file has, over and over with other names.
const PART: &str = "\
// Part #: the exponential linear unit with a slope, its own pooling, and a cell of three operations.
primitive elu#(x[..], alpha: float = 1.0) -> y[..] {
  y[..] = if x[..] > 0 { x[..] } else { alpha * (exp(x[..]) - 1) }
}

primitive pool#(x[N, C, H, W], k: int = 3) -> y[N, C, H, W] {
  y[n, c, i, j] = mean[u: k, v: k] x[n, c, i + u - k/2, j + v - k/2]
}

block stage#(c: int, deep: int = 2) {
  let width = choose width from [c, 2 * c]
  conv(width, 1) >> batch_norm >> elu# >> repeat deep { conv(width, 3) >> batch_norm >> relu } >> conv(c, 1)
}

motif cell#(c: int) = assemble 4 nodes {
  edge = choose op {
      none
    | skip: identity
    | conv(c, 3) >> batch_norm >> elu#
    | pool#(3)
  }
  merge = sum
}

space net#(image[N, C, H, W], classes: int, width: int = 16) {
  let stem = image >> conv(width, 3) >> batch_norm
  let kernel = choose kernel from [1, 3, 5]
  let first = stem >> conv(width, kernel) >> cell#(width) >> stage#(width)
  let second = first >> conv(2 * width, 3, stride = 2) >> cell#(width = 2 * width) >> stage#(2 * width)
  second >> head >> global_avg_pool >> linear(classes)
}

fn best#(all: list<trial>, sample: int) -> candidate {
  let drawn = all.draw(sample).sort_by(t => t.reward)
  for t in drawn {
    if t.curve.len() > 3 { return mutate(t.candidate) }
  }
  mutate(drawn.max_by(t => t.reward).candidate)
}

strategy search#(population: int = 10) {
  var alive: queue<trial> = evaluate_all([random() for _ in 0..population])
  for t in results() {
    alive.push(t)
    alive.pop_oldest()
    submit(best#(alive, 4))
  }
}
";

const SEARCH: &str = "
search tune# {
  data     = DATA
  space    = net#(width = 8)
  strategy = search#(population = 6)
  budget   = trials(20)
}
";

fn program(lines: usize, data: &str) -> String {
    let mut text =
        "use std.ops.*\n\n// Every part ends in this.\nblock head(c: int = 32) = conv(c, 1) >> batch_norm >> relu\n"
            .to_string();
    for n in 0.. {
        let part = if n % 4 == 0 { format!("\n{PART}{}", SEARCH.replace("DATA", data)) } else { format!("\n{PART}") };
        if text.lines().count() + part.lines().count() > lines && n > 0 {
            break;
        }
        text.push_str(&part.replace("width = 2 * width)", "2 * width)").replace('#', &n.to_string()));
    }
    while text.lines().count() < lines {
        text.push_str("// ..\n");
    }
    text
}

struct Editor {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    uri: String,
    text: String,
    version: i64,
}

impl Editor {
    fn send(&mut self, message: &Json) {
        let body = message.to_string();
        write!(self.input, "Content-Length: {}\r\n\r\n{body}", body.len()).expect("the server reads");
        self.input.flush().expect("the server reads");
    }

    /// Milliseconds of all processors that the server used so far, in hundredths of a second; 0 where that is not known.
    fn work(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
        let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace();
        fields.skip(11).take(2).filter_map(|f| f.parse::<f64>().ok()).sum::<f64>() * 10.0
    }

    fn read(&mut self) -> Json {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("a header");
        let length = line.trim().strip_prefix("Content-Length: ").expect("a header").parse().expect("a number");
        self.output.read_line(&mut line).expect("an empty line");
        let mut body = vec![0; length];
        self.output.read_exact(&mut body).expect("a message");
        serde_json::from_slice(&body).expect("JSON")
    }

    fn answer(&mut self, id: &str) -> Json {
        loop {
            let m = self.read();
            if m["id"] == id {
                assert!(m.get("error").is_none(), "{m}");
                return m["result"].clone();
            }
        }
    }

    /// What is found in the newest text, and when something of it was shown first.
    fn diagnostics(&mut self) -> (Vec<Json>, Instant) {
        let mut first = None;
        loop {
            let m = self.read();
            if m["method"] == "textDocument/publishDiagnostics" {
                let shown = *first.get_or_insert_with(Instant::now);
                if m["params"]["version"] == self.version {
                    return (m["params"]["diagnostics"].as_array().expect("a list").clone(), shown);
                }
            }
        }
    }

    /// Inserts a text at a byte, or deletes it there.
    fn edit(&mut self, at: usize, text: &str, insert: bool) {
        let before = &self.text[..at];
        let (line, column) = (before.matches('\n').count(), at - before.rfind('\n').map_or(0, |i| i + 1));
        let start = json!({ "line": line, "character": column });
        let end = json!({ "line": line, "character": if insert { column } else { column + text.len() } });
        if insert {
            self.text.insert_str(at, text);
        } else {
            self.text.replace_range(at..at + text.len(), "");
        }
        self.version += 1;
        let change = json!({ "range": { "start": start, "end": end }, "text": if insert { text } else { "" } });
        let document = json!({ "uri": self.uri, "version": self.version });
        let params = json!({ "textDocument": document, "contentChanges": [change] });
        self.send(&json!({ "jsonrpc": "2.0", "method": "textDocument/didChange", "params": params }));
    }

    fn request(&mut self, id: &str, method: &str, at: usize) {
        let before = &self.text[..at];
        let line = before.matches('\n').count();
        let position = json!({ "line": line, "character": at - before.rfind('\n').map_or(0, |i| i + 1) });
        let range = json!({ "start": { "line": line.saturating_sub(30), "character": 0 }, "end": { "line": line + 30, "character": 0 } });
        let mut params = json!({ "textDocument": { "uri": self.uri }, "position": position, "range": range });
        if method.ends_with("codeAction") {
            params["context"] = json!({ "diagnostics": [] });
        }
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
    }
}

fn shown(mut all: Vec<Duration>) -> String {
    all.sort_unstable();
    let ms = |d: Duration| d.as_secs_f64() * 1e3;
    format!("{:>8.1} {:>8.1}", ms(all[all.len() / 2]), ms(all[all.len() - 1]))
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let lines = args.first().map_or(2000, |a| a.parse().expect("a number of lines"));
    let data = args.get(1).map_or_else(|| "digits()".to_string(), |p| format!("csv({p:?})"));
    let dir = std::env::temp_dir().join(format!("nasc-bench-lsp-{}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("a folder");
    let mut child = Command::new(env!("CARGO_BIN_EXE_nasc"))
        .arg("lsp")
        .env("XDG_CACHE_HOME", &dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("nasc starts");
    let (input, output) = (child.stdin.take().expect("piped"), child.stdout.take().expect("piped"));
    let uri = format!("file://{}/long.nas", dir.display());
    let text = program(lines, &data);
    let mut e = Editor { child, input, output: BufReader::new(output), uri, text, version: 1 };
    let params = json!({ "processId": null, "rootUri": null, "capabilities": { "general": { "positionEncodings": ["utf-8"] } } });
    e.send(&json!({ "jsonrpc": "2.0", "id": "i", "method": "initialize", "params": params }));
    e.answer("i");
    e.send(&json!({ "jsonrpc": "2.0", "method": "initialized", "params": {} }));

    let document = json!({ "uri": e.uri, "languageId": "nas", "version": 1, "text": e.text });
    let start = Instant::now();
    e.send(&json!({ "jsonrpc": "2.0", "method": "textDocument/didOpen", "params": { "textDocument": document } }));
    let (found, _) = e.diagnostics();
    println!(
        "{} lines, {} kB, {} diagnostics: opened and checked in {:.0} ms",
        e.text.lines().count(),
        e.text.len() / 1000,
        found.len(),
        start.elapsed().as_secs_f64() * 1e3
    );
    if let Some(d) = found.first() {
        println!("the first: {}", d["message"]);
    }

    println!("{:<44} {:>17} {:>17} {:>8}", "milliseconds after a keystroke", "first shown", "complete", "work");
    println!("{:<44} {:>8} {:>8} {:>8} {:>8}", "", "median", "worst", "median", "worst");
    let middle = e.text.len() / 2;
    let find = |e: &Editor, what: &str| middle + e.text[middle..].find(what).expect("it is there");
    let places = [
        ("a comment", "// Part ", " ", 8),
        ("a space", "kernel from [1, 3", "3", 17),
        ("a space that does not parse meanwhile", ">> head >>", "(", 7),
        ("a shared cell", "conv(c, 3) >> batch_norm >> elu", "1", 9),
        ("a strategy", "alive.push(t)", "x", 13),
        ("the block that every space uses", "head(c: int = 32", "1", 16),
    ];
    for (name, what, typed, offset) in places {
        let at =
            if name.starts_with("the block") { e.text.find(what).expect("there") } else { find(&e, what) } + offset;
        let (mut first, mut all) = (Vec::new(), Vec::new());
        let before = e.work();
        for key in 0..KEYS {
            let start = Instant::now();
            e.edit(at, typed, key % 2 == 0);
            let (_, at) = e.diagnostics();
            first.push(at - start);
            all.push(start.elapsed());
        }
        let work = e.work() - before;
        println!("{:<44} {} {} {:>8.1}", format!("diagnostics: {name}"), shown(first), shown(all), work / KEYS as f64);
    }
    let at = find(&e, "conv(width, kernel)") + 4;
    for method in [
        "completion",
        "hover",
        "signatureHelp",
        "semanticTokens/range",
        "semanticTokens/full",
        "documentSymbol",
        "inlayHint",
        "codeAction",
    ] {
        let mut times = Vec::new();
        let mut id = String::new();
        let before = e.work();
        for key in 0..KEYS {
            id.clear();
            let _ = write!(id, "{method}{key}");
            let start = Instant::now();
            e.edit(at, "x", key % 2 == 0);
            e.request(&id, &format!("textDocument/{method}"), at);
            e.answer(&id);
            times.push(start.elapsed());
            e.diagnostics();
        }
        println!("{:<44} {} {:>26.1}", method, shown(times), (e.work() - before) / KEYS as f64);
    }
    // The server ends with its input.
    let Editor { mut child, input, .. } = e;
    drop(input);
    child.wait().expect("the server ends");
    std::fs::remove_dir_all(&dir).expect("the folder goes");
}
