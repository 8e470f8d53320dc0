//! Runs on disk: a run is a folder `NAME.run/` with one `SQLite` file, a lock and artifacts.
//!
//! The file holds what the search was (texts, resolved configuration, seed), every trial, its learning curve and
//! snapshots, and the log of what the runtime's calls returned to the strategy. A strategy is a deterministic function
//! of (source, seed, log), so this is all that a resumed run needs. Every write is a transaction of its own in
//! write-ahead mode: whatever was written survives `kill -9` at any later moment. There is no state elsewhere.

mod error;
mod lock;
mod record;
mod schema;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use crate::diag::{Diagnostic, codes};

use error::Context;
use lock::RunLock;
pub use record::{Failure, FailureKind, Metrics, Point, Snapshot, Status, Trial, TrialId};

/// What a run searched; resuming demands the same.
#[derive(Clone, Debug, PartialEq)]
pub struct RunInfo {
    /// Name and text of the `.nas` file and then of every module that it uses.
    pub sources: Vec<(String, String)>,
    /// The resolved configuration of the `search` block. The members [`RunInfo::MAY_CHANGE`] may differ on resuming.
    pub config: serde_json::Value,
    /// The seed of all random streams.
    pub seed: u64,
    /// The version of `nasc` that began the run.
    pub version: String,
}

impl RunInfo {
    /// Members of the configuration that say how long and on what to search, not what is searched.
    pub const MAY_CHANGE: [&'static str; 2] = ["budget", "workers"];
}

/// One line of the log: what the runtime's call number `call` returned.
#[derive(Clone, Debug, PartialEq)]
pub struct LogEntry {
    /// The strategy's runtime calls are numbered from 0.
    pub call: u64,
    /// What it returned.
    pub what: Logged,
}

/// What a runtime call returned.
#[derive(Clone, Debug, PartialEq)]
pub enum Logged {
    /// The strategy saw the result of a trial.
    Seen(TrialId),
    /// A value that cannot be computed again, such as a measured time.
    Value(Vec<u8>),
}

/// An open run.
#[derive(Debug)]
pub struct Store {
    connection: Mutex<Connection>,
    folder: Option<PathBuf>,
    // Held for as long as the store is open; the operating system gives it back when the process dies.
    _lock: Option<RunLock>,
}

const FILE: &str = "run.sqlite";

impl Store {
    /// Begins a run in `folder`, which must not hold one yet. The folder and its parents are created.
    ///
    /// Errors: E1001 cannot be written, E1003 disk full, E1005 in use by another process, E1010 there is a run already.
    pub fn create(folder: &Path, info: &RunInfo) -> Result<Self, Diagnostic> {
        let context = Context::new(folder);
        std::fs::create_dir_all(folder).map_err(|e| context.io(&e, "create the run's folder"))?;
        let lock = RunLock::take(folder)?;
        let file = folder.join(FILE);
        if file.exists() {
            return Err(Diagnostic::unplaced(
                &codes::RUN_EXISTS,
                format!("there is a run in `{}` already", folder.display()),
            )
            .help("go on with it by `--resume`, or choose another name by `--out`"));
        }
        // A kill between the first write and the last must not leave half a run: the file gets its name when complete.
        let draft = folder.join("run.sqlite.new");
        for stale in ["run.sqlite.new", "run.sqlite.new-journal"] {
            match std::fs::remove_file(folder.join(stale)) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                    return Err(context.io(&e, "clear the run's folder"));
                }
                _ => {}
            }
        }
        {
            let connection = Connection::open(&draft).map_err(|e| context.sql(&e))?;
            schema::create(&connection).map_err(|e| context.sql(&e))?;
            write_info(&connection, info).map_err(|e| context.sql(&e))?;
            connection.close().map_err(|(_, e)| context.sql(&e))?;
        }
        std::fs::rename(&draft, &file).map_err(|e| context.io(&e, "create the run's file"))?;
        let connection = open_file(&file, &context)?;
        Ok(Self { connection: Mutex::new(connection), folder: Some(folder.to_owned()), _lock: Some(lock) })
    }

    /// Opens a run to go on with it.
    ///
    /// Errors: E1002 no run there, E1004 corrupt, E1005 in use by another process, E1007 of another version of the
    /// format, and those of [`Store::create`].
    pub fn open(folder: &Path) -> Result<Self, Diagnostic> {
        let context = Context::new(folder);
        let file = existing_file(folder)?;
        let lock = RunLock::take(folder)?;
        let connection = open_file(&file, &context)?;
        Ok(Self { connection: Mutex::new(connection), folder: Some(folder.to_owned()), _lock: Some(lock) })
    }

    /// Opens a run to look at it; it may be running, and its folder may be read-only.
    pub fn open_read_only(folder: &Path) -> Result<Self, Diagnostic> {
        let context = Context::new(folder);
        let file = existing_file(folder)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
        let connect = |name: &Path| -> rusqlite::Result<Connection> {
            let connection = Connection::open_with_flags(name, flags)?;
            connection.busy_timeout(Duration::from_secs(10))?;
            schema::version(&connection)?;
            Ok(connection)
        };
        let connection = match connect(&file) {
            // In a read-only folder SQLite cannot make the shared-memory file that write-ahead mode needs. Nobody else
            // can write there either, so the file may be read as it is.
            Err(e) if Context::is_access(&e) => {
                let name = file.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
                connect(Path::new(&format!("file:{name}?immutable=1")))
            }
            other => other,
        }
        .map_err(|e| context.sql(&e))?;
        schema::check(&connection, &context)?;
        Ok(Self { connection: Mutex::new(connection), folder: Some(folder.to_owned()), _lock: None })
    }

    /// A run that lives in memory only: for benchmarks, sampling and tests.
    pub fn in_memory(info: &RunInfo) -> Result<Self, Diagnostic> {
        let context = Context::new(Path::new("memory"));
        let connection = Connection::open_in_memory().map_err(|e| context.sql(&e))?;
        schema::create(&connection).map_err(|e| context.sql(&e))?;
        write_info(&connection, info).map_err(|e| context.sql(&e))?;
        Ok(Self { connection: Mutex::new(connection), folder: None, _lock: None })
    }

    /// The run's folder; none for a run in memory.
    pub fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// What the run searches.
    pub fn info(&self) -> Result<RunInfo, Diagnostic> {
        self.with(|c| {
            let mut statement = c.prepare("SELECT name, text FROM sources ORDER BY position")?;
            let sources = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
            let config: String = meta(c, "config")?.unwrap_or_default();
            let seed: String = meta(c, "seed")?.unwrap_or_default();
            Ok(RunInfo {
                sources,
                config: serde_json::from_str(&config).unwrap_or(serde_json::Value::Null),
                seed: seed.parse().unwrap_or(0),
                version: meta(c, "version")?.unwrap_or_default(),
            })
        })
    }

    /// When the run began, in seconds since 1970.
    pub fn created(&self) -> Result<u64, Diagnostic> {
        self.with(|c| Ok(meta::<String>(c, "created")?.and_then(|t| t.parse().ok()).unwrap_or(0)))
    }

    /// Refuses to go on with a run of something else (E1006); says what differs.
    pub fn check_same(&self, now: &RunInfo) -> Result<(), Diagnostic> {
        let then = self.info()?;
        let Some(what) = difference(&then, now) else { return Ok(()) };
        let folder = self.folder.as_deref().unwrap_or(Path::new("memory")).display();
        Err(Diagnostic::unplaced(
            &codes::RUN_OF_ANOTHER_SOURCE,
            format!("the run in `{folder}` searches something else: {what}"),
        )
        .help("start a new run, or undo the change; a run goes on only with what it began with, since it is replayed"))
    }

    /// Replaces the stored texts and configuration, for a run that goes on with another source by explicit wish.
    pub fn replace_info(&self, info: &RunInfo) -> Result<(), Diagnostic> {
        self.with(|c| {
            let transaction = c.unchecked_transaction()?;
            transaction.execute("DELETE FROM sources", [])?;
            write_info(&transaction, info)?;
            transaction.commit()
        })
    }

    /// A path in the run's folder for a file such as a picture or exported weights; none for a run in memory.
    pub fn artifact(&self, name: &str) -> Result<Option<PathBuf>, Diagnostic> {
        let Some(folder) = &self.folder else { return Ok(None) };
        let folder = folder.join("artifacts");
        std::fs::create_dir_all(&folder).map_err(|e| Context::new(&folder).io(&e, "create a folder"))?;
        Ok(Some(folder.join(name)))
    }

    /// Seconds that all sessions of this run have spent so far.
    pub fn elapsed(&self) -> Result<f64, Diagnostic> {
        self.with(|c| Ok(meta::<f64>(c, "elapsed")?.unwrap_or(0.0)))
    }

    /// Records the seconds spent so far.
    pub fn set_elapsed(&self, seconds: f64) -> Result<(), Diagnostic> {
        self.with(|c| set_meta(c, "elapsed", seconds))
    }

    /// Appends to the log.
    pub fn log(&self, entry: &LogEntry) -> Result<(), Diagnostic> {
        self.with(|c| {
            let (trial, data) = match &entry.what {
                Logged::Seen(trial) => (Some(trial.0 as i64), None),
                Logged::Value(bytes) => (None, Some(bytes.as_slice())),
            };
            c.prepare_cached("INSERT INTO log (call, trial, data) VALUES (?1, ?2, ?3)")?.execute(params![
                entry.call as i64,
                trial,
                data
            ])?;
            Ok(())
        })
    }

    /// The whole log in order.
    pub fn entries(&self) -> Result<Vec<LogEntry>, Diagnostic> {
        self.with(|c| {
            let mut statement = c.prepare("SELECT call, trial, data FROM log ORDER BY position")?;
            statement
                .query_map([], |row| {
                    let trial: Option<i64> = row.get(1)?;
                    let what = match trial {
                        Some(id) => Logged::Seen(TrialId(id as u64)),
                        None => Logged::Value(row.get::<_, Option<Vec<u8>>>(2)?.unwrap_or_default()),
                    };
                    Ok(LogEntry { call: row.get::<_, i64>(0)? as u64, what })
                })?
                .collect()
        })
    }

    /// Appends results of so many trials, which learned from so many examples, and with them what is to be known when the run goes on after them.
    pub fn add_journal(
        &self,
        (trials, steps): (u64, u64),
        data: &[u8],
        state: Option<&[u8]>,
        elapsed: f64,
    ) -> Result<(), Diagnostic> {
        self.with(|c| {
            let transaction = c.unchecked_transaction()?;
            transaction.execute(schema::JOURNAL, [])?;
            transaction
                .prepare_cached("INSERT INTO journal (trials, steps, data) VALUES (?1, ?2, ?3)")?
                .execute(params![trials as i64, steps as i64, data])?;
            if let Some(state) = state {
                transaction
                    .prepare_cached("INSERT OR REPLACE INTO snapshots (trial, step, data) VALUES (-1, 0, ?1)")?
                    .execute([state])?;
            }
            set_meta(&transaction, "elapsed", elapsed)?;
            transaction.commit()
        })
    }

    /// How many trials the journal has, and from how many examples they learned.
    pub fn journaled(&self) -> Result<(u64, u64), Diagnostic> {
        self.with(|c| {
            let there: i64 =
                c.query_row("SELECT count(*) FROM sqlite_master WHERE name = 'journal'", [], |r| r.get(0))?;
            if there == 0 {
                return Ok((0, 0));
            }
            let sums = "SELECT coalesce(sum(trials), 0), coalesce(sum(steps), 0) FROM journal";
            c.query_row(sums, [], |r| Ok((r.get::<_, i64>(0)? as u64, r.get::<_, i64>(1)? as u64)))
        })
    }

    /// The n-th part of the journal, from 0; empty after the last.
    pub fn journal(&self, n: u64) -> Result<Vec<u8>, Diagnostic> {
        self.with(|c| {
            let sql = "SELECT data FROM journal WHERE position = ?1";
            Ok(c.prepare_cached(sql)?.query_row([n as i64 + 1], |r| r.get(0)).optional()?.unwrap_or_default())
        })
    }

    /// Moves everything into the one file and closes it; the folder can be copied or sent afterwards.
    pub fn close(self) -> Result<(), Diagnostic> {
        let context = Context::new(self.folder.as_deref().unwrap_or(Path::new("memory")));
        let connection = self.connection.into_inner().unwrap_or_else(PoisonError::into_inner);
        connection.close().map_err(|(_, e)| context.sql(&e))
    }

    /// From now on the file may have so many pages: a disk that is nearly full.
    #[cfg(test)]
    pub(crate) fn limit_size(&self, pages: u32) {
        self.with(|c| c.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))).unwrap();
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        // A panic in between leaves at worst an open transaction, which rolls back.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, f: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, Diagnostic> {
        f(&self.connection()).map_err(|e| Context::new(self.folder.as_deref().unwrap_or(Path::new("memory"))).sql(&e))
    }
}

fn existing_file(folder: &Path) -> Result<PathBuf, Diagnostic> {
    let file = folder.join(FILE);
    if file.is_file() {
        return Ok(file);
    }
    let message = if folder.is_dir() {
        format!("the folder `{}` holds no run", folder.display())
    } else {
        format!("there is no run `{}`", folder.display())
    };
    Err(Diagnostic::unplaced(&codes::NO_RUN, message)
        .help("a run is a folder such as `NAME.run` that `nasc run` writes"))
}

fn open_file(file: &Path, context: &Context) -> Result<Connection, Diagnostic> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connect = || -> rusqlite::Result<Connection> {
        let connection = Connection::open_with_flags(file, flags)?;
        connection.busy_timeout(Duration::from_secs(10))?;
        schema::version(&connection)?;
        Ok(connection)
    };
    let connection = connect().map_err(|e| context.sql(&e))?;
    schema::check(&connection, context)?;
    schema::configure(&connection).map_err(|e| context.sql(&e))?;
    schema::check_pages(&connection, context)?;
    Ok(connection)
}

fn write_info(c: &Connection, info: &RunInfo) -> rusqlite::Result<()> {
    for (i, (name, text)) in info.sources.iter().enumerate() {
        c.execute("INSERT INTO sources (position, name, text) VALUES (?1, ?2, ?3)", params![i as i64, name, text])?;
    }
    set_meta(c, "config", info.config.to_string())?;
    set_meta(c, "seed", info.seed.to_string())?;
    set_meta(c, "version", &info.version)?;
    if meta::<String>(c, "created")?.is_none() {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_secs());
        set_meta(c, "created", now.to_string())?;
    }
    Ok(())
}

fn meta<T: rusqlite::types::FromSql>(c: &Connection, key: &str) -> rusqlite::Result<Option<T>> {
    c.prepare_cached("SELECT value FROM meta WHERE key = ?1")?.query_row([key], |row| row.get(0)).optional()
}

fn set_meta(c: &Connection, key: &str, value: impl rusqlite::ToSql) -> rusqlite::Result<()> {
    c.prepare_cached("INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)")?.execute(params![key, value])?;
    Ok(())
}

/// What differs in a way that matters, in words.
fn difference(then: &RunInfo, now: &RunInfo) -> Option<String> {
    for (i, (name, text)) in now.sources.iter().enumerate() {
        let Some((old_name, old_text)) = then.sources.get(i) else {
            return Some(format!("`{name}` was not part of it"));
        };
        if i > 0 && old_name != name {
            return Some(format!("it used `{old_name}` where `{name}` is used now"));
        }
        if old_text != text {
            let line = old_text.lines().zip(text.lines()).take_while(|(a, b)| a == b).count() + 1;
            return Some(format!("`{name}` has changed since it began (first in line {line})"));
        }
    }
    if let Some((name, _)) = then.sources.get(now.sources.len()) {
        return Some(format!("`{name}` was part of it"));
    }
    if then.seed != now.seed {
        return Some(format!("its seed is {}, not {}", then.seed, now.seed));
    }
    let members = |v: &serde_json::Value| -> Vec<(String, serde_json::Value)> {
        let mut all: Vec<_> = v.as_object().into_iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect();
        all.retain(|(k, _)| !RunInfo::MAY_CHANGE.contains(&k.as_str()));
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all
    };
    let (a, b) = (members(&then.config), members(&now.config));
    if a == b {
        return None;
    }
    let value =
        |of: &[(String, serde_json::Value)], key: &str| of.iter().find(|(k, _)| k == key).map(|(_, v)| v.clone());
    let key = a.iter().chain(&b).map(|(k, _)| k).find(|k| value(&a, k) != value(&b, k))?;
    let show = |v: Option<serde_json::Value>| v.map_or_else(|| "not set".to_owned(), |v| format!("`{v}`"));
    Some(format!("its {key} is {}, not {}", show(value(&a, key)), show(value(&b, key))))
}
