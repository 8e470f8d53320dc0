use std::io::{Seek, SeekFrom, Write};

use super::*;

fn info() -> RunInfo {
    RunInfo {
        sources: vec![("a.nas".into(), "search a {}\n".into()), ("std/ops.nas".into(), "// ops\n".into())],
        config: serde_json::json!({ "strategy": "random_search()", "budget": { "trials": 10 }, "workers": 2 }),
        seed: u64::MAX,
        version: "0.1.0".into(),
    }
}

fn trial(id: u64) -> Trial {
    Trial {
        id: TrialId(id),
        call: id + 3,
        candidate: format!("{{\"op\":{id}}}").into(),
        key: format!("k{id}").into(),
        until: Some(7),
        parent: (id > 0).then(|| TrialId(id - 1)),
        continues: None,
        repeat: 2,
        status: Status::Done,
        same_as: None,
        metrics: vec![("accuracy".into(), 0.1 + 0.2), ("z".into(), f64::NEG_INFINITY), ("a".into(), -0.0)],
        rewards: vec![1.0 / 3.0, 5e-324],
        curve: vec![(1, 0.25), (2, 1e300)],
        epochs: 2,
        started: Some(1.5e9),
        seconds: 0.125,
        failure: None,
    }
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("a.run");
    (dir, run)
}

fn put(store: &Store, t: &Trial) {
    store.put_trial(t).unwrap();
    for &p in &t.curve {
        store.add_point(Some(t.id), p, None).unwrap();
    }
}

#[test]
fn everything_comes_back_as_it_was_written() {
    let (_dir, run) = folder();
    let mut failed = trial(1);
    failed.status = Status::Failed;
    failed.metrics.clear();
    failed.rewards.clear();
    failed.failure = Some(Failure::new(FailureKind::Memory, "needs 3 GiB"));
    failed.curve = vec![(1, f64::INFINITY)];
    let entries = vec![
        LogEntry { call: 2, what: Logged::Seen(TrialId(0)) },
        LogEntry { call: 2, what: Logged::Seen(TrialId(1)) },
        LogEntry { call: 9, what: Logged::Value(vec![0, 255, 3]) },
    ];
    {
        let store = Store::create(&run, &info()).unwrap();
        put(&store, &trial(0));
        put(&store, &failed);
        for e in &entries {
            store.log(e).unwrap();
        }
        store.add_point(Some(TrialId(0)), (3, 0.5), Some(b"first")).unwrap();
        store.add_point(Some(TrialId(0)), (4, 0.5), Some(b"second")).unwrap();
        store.add_point(None, (1, 0.75), Some(b"strategy")).unwrap();
        store.set_elapsed(12.5).unwrap();
        store.close().unwrap();
    }
    let store = Store::open(&run).unwrap();
    let mut first = trial(0);
    first.curve.extend([(3, 0.5), (4, 0.5)]);
    assert_eq!(store.trials().unwrap(), [first, failed]);
    assert!(store.trials().unwrap()[0].metrics[2].1.is_sign_negative());
    assert_eq!(store.entries().unwrap(), entries);
    assert_eq!(store.snapshot(Some(TrialId(0))).unwrap(), Some(Snapshot { step: 4, data: b"second".to_vec() }));
    assert_eq!(store.snapshot(Some(TrialId(1))).unwrap(), None);
    assert_eq!(store.snapshot(None).unwrap().unwrap().data, b"strategy");
    assert_eq!(store.curve(None).unwrap(), [(1, 0.75)]);
    assert_eq!(store.info().unwrap(), info());
    assert!((store.elapsed().unwrap() - 12.5).abs() < 1e-12);
    store.cut_curve(TrialId(0), Some(2)).unwrap();
    assert_eq!(store.curve(Some(TrialId(0))).unwrap(), [(1, 0.25), (2, 1e300)]);
    store.forget_snapshot(Some(TrialId(0))).unwrap();
    assert_eq!(store.snapshot(Some(TrialId(0))).unwrap(), None);
}

#[test]
fn a_cached_trial_shares_the_curve_of_its_original() {
    let store = Store::in_memory(&info()).unwrap();
    put(&store, &trial(0));
    let mut twin = trial(1);
    twin.status = Status::Cached;
    twin.same_as = Some(TrialId(0));
    store.put_trial(&twin).unwrap();
    assert_eq!(store.trials().unwrap()[1].curve, trial(0).curve);
}

#[test]
fn nothing_is_overwritten_and_nothing_is_made_up() {
    let (_dir, run) = folder();
    assert_eq!(Store::open(&run).unwrap_err().code.id, "E1002");
    assert_eq!(Store::open_read_only(&run).unwrap_err().code.id, "E1002");
    assert!(!run.exists(), "looking for a run makes none");
    drop(Store::create(&run, &info()).unwrap());
    let again = Store::create(&run, &info()).unwrap_err();
    assert_eq!(again.code.id, "E1010");
    assert!(again.help.unwrap().contains("--resume"));
}

#[test]
fn a_second_process_is_told_who_has_the_run() {
    let (_dir, run) = folder();
    let store = Store::create(&run, &info()).unwrap();
    put(&store, &trial(0));
    let refused = Store::open(&run).unwrap_err();
    assert_eq!(refused.code.id, "E1005");
    assert!(refused.message.contains(&format!("process {}", std::process::id())), "{}", refused.message);
    let reader = Store::open_read_only(&run).unwrap();
    assert_eq!(reader.trials().unwrap(), [trial(0)], "a reader sees a run that is going on");
    assert_eq!(reader.put_trial(&trial(1)).unwrap_err().code.id, "E1001");
    drop(store);
    Store::open(&run).unwrap();
}

#[test]
fn only_the_same_search_goes_on() {
    let (_dir, run) = folder();
    let store = Store::create(&run, &info()).unwrap();
    store.check_same(&info()).unwrap();
    let mut longer = info();
    longer.config = serde_json::json!({ "workers": 8, "strategy": "random_search()", "budget": { "trials": 90 } });
    longer.version = "0.2.0".into();
    store.check_same(&longer).unwrap();
    let refused = |change: &dyn Fn(&mut RunInfo)| {
        let mut other = info();
        change(&mut other);
        let d = store.check_same(&other).unwrap_err();
        assert_eq!(d.code.id, "E1006");
        d.message
    };
    assert!(refused(&|i| i.sources[1].1 = "// ops\n// more\n".into()).contains("`std/ops.nas` has changed"));
    assert!(refused(&|i| i.sources[1].1 = "// ops\n// more\n".into()).contains("line 2"));
    assert!(refused(&|i| i.seed = 7).contains("seed"));
    assert!(
        refused(&|i| i.config["strategy"] = "grid()".into())
            .contains("its strategy is `\"random_search()\"`, not `\"grid()\"`")
    );
    assert!(refused(&|i| i.config["population"] = 3.into()).contains("its population is not set"));
    assert!(refused(&|i| drop(i.sources.pop())).contains("`std/ops.nas` was part of it"));
    let mut other = info();
    other.seed = 7;
    store.replace_info(&other).unwrap();
    store.check_same(&other).unwrap();
}

#[test]
fn files_of_other_versions_are_refused() {
    let (_dir, run) = folder();
    drop(Store::create(&run, &info()).unwrap());
    for (version, word) in [(99, "newer"), (0, "older")] {
        let c = Connection::open(run.join(FILE)).unwrap();
        c.pragma_update(None, "user_version", version).unwrap();
        drop(c);
        for d in [Store::open(&run).unwrap_err(), Store::open_read_only(&run).unwrap_err()] {
            assert_eq!(d.code.id, "E1007");
            assert!(d.message.contains(word), "{}", d.message);
        }
    }
}

#[test]
fn damage_is_found_on_opening() {
    let (_dir, run) = folder();
    let store = Store::create(&run, &info()).unwrap();
    for i in 0..500 {
        put(&store, &trial(i));
    }
    store.close().unwrap();
    let file = run.join(FILE);
    let sound = std::fs::read(&file).unwrap();
    let damage = |at: u64, with: &[u8]| {
        std::fs::write(&file, &sound).unwrap();
        let mut f = std::fs::OpenOptions::new().write(true).open(&file).unwrap();
        f.seek(SeekFrom::Start(at)).unwrap();
        f.write_all(with).unwrap();
        drop(f);
        Store::open(&run).unwrap_err()
    };
    assert_eq!(damage(0, b"not a database at all").code.id, "E1004");
    assert_eq!(damage(sound.len() as u64 / 2 / 4096 * 4096, &[0x5a; 8192]).code.id, "E1004");
    std::fs::write(&file, &sound[..sound.len() / 2]).unwrap();
    assert_eq!(Store::open(&run).unwrap_err().code.id, "E1004", "cut in half");
    std::fs::write(&file, b"").unwrap();
    assert_eq!(Store::open(&run).unwrap_err().code.id, "E1004", "empty");
    let other = Connection::open(run.join("other.sqlite")).unwrap();
    other.execute_batch("CREATE TABLE t (x); PRAGMA user_version = 1;").unwrap();
    drop(other);
    std::fs::rename(run.join("other.sqlite"), &file).unwrap();
    assert_eq!(Store::open(&run).unwrap_err().code.id, "E1004", "somebody else's file");
}

#[test]
fn a_full_disk_keeps_what_was_written() {
    let (_dir, run) = folder();
    let store = Store::create(&run, &info()).unwrap();
    put(&store, &trial(0));
    store.with(|c| c.pragma_update_and_check(None, "max_page_count", 20, |_| Ok(()))).unwrap();
    let d = store.add_point(Some(TrialId(0)), (9, 0.5), Some(&vec![7; 1 << 20])).unwrap_err();
    assert_eq!(d.code.id, "E1003");
    assert!(d.help.unwrap().contains("--resume"));
    drop(store);
    let store = Store::open(&run).unwrap();
    assert_eq!(store.trials().unwrap(), [trial(0)], "point and snapshot are one transaction");
    for kind in [std::io::ErrorKind::StorageFull, std::io::ErrorKind::QuotaExceeded] {
        assert_eq!(Context::new(&run).io(&kind.into(), "create").code.id, "E1003");
    }
}

#[test]
fn places_that_cannot_be_written_are_named() {
    let (dir, _) = folder();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    for place in [file.join("a.run"), file.clone(), PathBuf::from("/proc/a.run")] {
        let d = Store::create(&place, &info()).unwrap_err();
        assert_eq!(d.code.id, "E1001", "{}", place.display());
        assert!(d.message.contains(&*place.to_string_lossy()), "{}", d.message);
    }
    let d = Context::new(&file).io(&std::io::ErrorKind::ReadOnlyFilesystem.into(), "create the run's folder");
    assert_eq!((d.code.id, d.message.contains("read-only")), ("E1001", true));
}

#[test]
fn a_kill_while_creating_leaves_no_half_run() {
    let (_dir, run) = folder();
    std::fs::create_dir_all(&run).unwrap();
    std::fs::write(run.join("run.sqlite.new"), "half").unwrap();
    let store = Store::create(&run, &info()).unwrap();
    assert_eq!(store.info().unwrap(), info());
}
