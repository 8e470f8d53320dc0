//! The tables. `user_version` counts the versions of the format; a file of another version is refused.

use rusqlite::Connection;

use super::error::Context;
use crate::diag::{Diagnostic, codes};

/// The version of the format that this program reads and writes.
pub const VERSION: i64 = 1;

/// The mark of our files among all `SQLite` files (`"nasc"` in ASCII).
const APPLICATION: i64 = 0x6e61_7363;

/// Files larger than this are not read through on opening.
const CHECKED_PAGES: i64 = 65_536;

const TABLES: &str = "
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE sources (position INTEGER PRIMARY KEY, name TEXT NOT NULL, text TEXT NOT NULL);
CREATE TABLE trials (
  id INTEGER PRIMARY KEY,
  call INTEGER NOT NULL,
  candidate TEXT NOT NULL,
  key TEXT NOT NULL,
  until INTEGER,
  parent INTEGER,
  continues INTEGER,
  repeat INTEGER NOT NULL,
  status TEXT NOT NULL,
  same_as INTEGER,
  metrics TEXT,
  rewards TEXT,
  epochs INTEGER NOT NULL DEFAULT 0,
  started REAL,
  seconds REAL NOT NULL DEFAULT 0,
  kind TEXT,
  reason TEXT
);
-- Trial -1 is the strategy itself.
CREATE TABLE points (trial INTEGER, step INTEGER, value REAL, PRIMARY KEY (trial, step)) WITHOUT ROWID;
CREATE TABLE snapshots (trial INTEGER PRIMARY KEY, step INTEGER NOT NULL, data BLOB NOT NULL);
CREATE TABLE log (position INTEGER PRIMARY KEY, call INTEGER NOT NULL, trial INTEGER, data BLOB);
";

/// Results of trials that are no rows, in order; only runs that have such trials have this table.
pub const JOURNAL: &str = "CREATE TABLE IF NOT EXISTS journal
     (position INTEGER PRIMARY KEY, trials INTEGER NOT NULL, steps INTEGER NOT NULL, data BLOB NOT NULL)";

/// Makes the tables in an empty file.
pub fn create(c: &Connection) -> rusqlite::Result<()> {
    c.execute_batch(TABLES)?;
    c.pragma_update(None, "application_id", APPLICATION)?;
    c.pragma_update(None, "user_version", VERSION)
}

/// Write-ahead mode: readers never block the run, and a killed process loses nothing that was committed. `NORMAL` leaves
/// out the flush per commit: only a loss of power, not of the process, can cost the last commits, and never the file.
pub fn configure(c: &Connection) -> rusqlite::Result<()> {
    c.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    c.pragma_update(None, "synchronous", "NORMAL")
}

/// The version of the file's format.
pub fn version(c: &Connection) -> rusqlite::Result<i64> {
    c.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Refuses files of other versions (E1007) and those that are not ours (E1004).
pub fn check(c: &Connection, context: &Context) -> Result<(), Diagnostic> {
    let pragma = |name: &str| -> Result<i64, Diagnostic> {
        c.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0)).map_err(|e| context.sql(&e))
    };
    if pragma("application_id")? != APPLICATION {
        return Err(context.corrupt("it was not written by `nasc run`"));
    }
    let found = pragma("user_version")?;
    if found == VERSION {
        return Ok(());
    }
    let age = if found > VERSION { "a newer" } else { "an older" };
    Err(Diagnostic::unplaced(
        &codes::RUN_FORMAT,
        format!("the run in `{}` was written by {age} version of nasc", context.folder()),
    )
    .note(format!("the run has format {found}, this nasc reads format {VERSION}"))
    .help("use the version of nasc that wrote it, or start a new run"))
}

/// Reads a small file through, so that damage is found now and not in the middle of the search.
pub fn check_pages(c: &Connection, context: &Context) -> Result<(), Diagnostic> {
    let ask = |pragma: &str| -> rusqlite::Result<rusqlite::types::Value> { c.query_row(pragma, [], |row| row.get(0)) };
    let pages = ask("PRAGMA page_count").map_err(|e| context.sql(&e))?;
    if matches!(pages, rusqlite::types::Value::Integer(n) if n > CHECKED_PAGES) {
        return Ok(());
    }
    match ask("PRAGMA quick_check(1)").map_err(|e| context.sql(&e))? {
        rusqlite::types::Value::Text(said) if said != "ok" => {
            Err(context.corrupt(said.lines().next_back().unwrap_or("damaged")))
        }
        _ => Ok(()),
    }
}
