//! Messages on a stream: `Content-Length: n`, an empty line, n bytes of JSON.
//!
//! A server lives as long as its editor, so what is malformed is reported and skipped; only the end of the stream ends
//! the reading.

use std::io::{self, BufRead, Write};

use serde_json::{Value as Json, json};

/// Longest message that is read.
const MAX_LENGTH: usize = 256 << 20;

/// Error codes of JSON-RPC and of the protocol.
pub mod code {
    pub const PARSE_ERROR: i32 = -32700;
    pub const INVALID_REQUEST: i32 = -32600;
    pub const METHOD_NOT_FOUND: i32 = -32601;
    pub const INVALID_PARAMS: i32 = -32602;
    pub const INTERNAL_ERROR: i32 = -32603;
    pub const NOT_INITIALIZED: i32 = -32002;
    pub const REQUEST_CANCELLED: i32 = -32800;
    pub const REQUEST_FAILED: i32 = -32803;
}

/// What came.
#[derive(Clone, Debug, PartialEq)]
pub enum Incoming {
    /// Wants an answer.
    Request { id: Json, method: String, params: Json },
    /// Wants none.
    Notification { method: String, params: Json },
    /// An answer to a request of the server.
    Response,
    /// Nothing that the protocol knows: the error to answer with, and the id if it has one.
    Malformed { id: Json, code: i32, message: String },
}

/// The next message; `None` at the end of the stream.
pub fn read(r: &mut impl BufRead) -> io::Result<Option<Incoming>> {
    let malformed = |message: &str| {
        Ok(Some(Incoming::Malformed { id: Json::Null, code: code::PARSE_ERROR, message: message.to_string() }))
    };
    let mut length: Option<usize> = None;
    let mut headers = 0;
    loop {
        let mut line = Vec::new();
        if r.read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        let line = String::from_utf8_lossy(&line);
        let line = line.trim();
        if line.is_empty() {
            if headers == 0 {
                // Between messages.
                continue;
            }
            break;
        }
        headers += 1;
        if let Some((name, value)) = line.split_once(':')
            && name.trim().eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().ok();
        }
    }
    let Some(length) = length else { return malformed("a message without a valid Content-Length") };
    if length > MAX_LENGTH {
        io::copy(&mut io::Read::take(&mut *r, length as u64), &mut io::sink())?;
        return malformed("a message that is too long");
    }
    let mut body = vec![0; length];
    match r.read_exact(&mut body) {
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    Ok(Some(match serde_json::from_slice(&body) {
        Ok(v) => classify(v),
        Err(e) => {
            let message = format!("not JSON: {e}");
            Incoming::Malformed { id: Json::Null, code: code::PARSE_ERROR, message }
        }
    }))
}

fn classify(v: Json) -> Incoming {
    let invalid =
        |id: Json, message: &str| Incoming::Malformed { id, code: code::INVALID_REQUEST, message: message.to_string() };
    let Json::Object(mut o) = v else { return invalid(Json::Null, "a message must be an object") };
    let id = o.remove("id");
    let params = o.remove("params").unwrap_or(Json::Null);
    match (o.remove("method"), id) {
        (Some(Json::String(method)), Some(id @ (Json::Number(_) | Json::String(_)))) => {
            Incoming::Request { id, method, params }
        }
        (Some(Json::String(method)), None) => Incoming::Notification { method, params },
        (None, Some(_)) if o.contains_key("result") || o.contains_key("error") => Incoming::Response,
        (_, id) => {
            let id = id.filter(|i| i.is_number() || i.is_string()).unwrap_or(Json::Null);
            invalid(id, "neither a request nor a notification nor a response")
        }
    }
}

/// Writes a message.
pub fn write(w: &mut impl Write, message: &Json) -> io::Result<()> {
    let body = message.to_string();
    write!(w, "Content-Length: {}\r\n\r\n{body}", body.len())?;
    w.flush()
}

/// The answer to a request.
pub fn answer(id: &Json, result: Result<Json, (i32, String)>) -> Json {
    match result {
        Ok(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
        Err((code, message)) => {
            json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } })
        }
    }
}

/// What the server says on its own.
pub fn notification(method: &str, params: &Json) -> Json {
    json!({ "jsonrpc": "2.0", "method": method, "params": params })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &[u8]) -> Vec<Incoming> {
        let mut r = text;
        std::iter::from_fn(|| read(&mut r).expect("no input error")).collect()
    }

    fn frame(body: &str) -> String {
        format!("Content-Length: {}\r\n\r\n{body}", body.len())
    }

    #[test]
    fn what_was_written_is_read() {
        let mut out = Vec::new();
        write(&mut out, &notification("x/y", &json!({ "a": "ä" }))).expect("written");
        let got = all(&out);
        assert_eq!(got, [Incoming::Notification { method: "x/y".into(), params: json!({ "a": "ä" }) }]);
    }

    #[test]
    fn malformed_messages_are_skipped() {
        let good = frame("{\"id\": 1, \"method\": \"m\"}");
        let request = Incoming::Request { id: json!(1), method: "m".into(), params: Json::Null };
        for bad in [
            frame("{"),
            frame("[]"),
            frame("{\"id\": 2}"),
            frame("{\"id\": {}, \"method\": \"m\"}"),
            "Content-Length: many\r\n\r\n".to_string(),
            "Nothing: here\r\n\r\n".to_string(),
            "\r\n\r\n".to_string(),
        ] {
            let got = all(format!("{bad}{good}").as_bytes());
            assert_eq!(got.last(), Some(&request), "{bad}");
            let answered = matches!(got[0], Incoming::Malformed { .. });
            assert!(answered || bad.trim().is_empty(), "{bad}");
        }
        assert_eq!(all(b"Content-Length: 100\r\n\r\n{"), []);
    }
}
