//! Programs that wait for their score. The strategy's thread adds and takes in order; helpers score what waits.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::algo::Program;
use crate::algo::vary::copy;
use crate::search::setup::Search;

use super::cache::Cache;
use super::score::{Scored, Scorer};

/// Most trials that are not yet seen after a submission.
pub const AHEAD: usize = 64;

/// A helper looks so many times for work before it sleeps a little.
const TURNS: u32 = 20_000;

const EMPTY: u32 = 0;
const WAITS: u32 = 1;
const TAKEN: u32 = 2;
const DONE: u32 = 3;

/// A program and what came of it.
#[derive(Default)]
pub struct Work {
    /// The program.
    pub program: Program,
    /// Its score.
    pub scored: Scored,
}

struct Seat {
    state: AtomicU32,
    work: Mutex<Work>,
}

/// Programs that wait.
pub struct Ring {
    seats: Vec<Seat>,
    /// How many were added.
    added: AtomicU64,
    /// How many were taken out.
    removed: AtomicU64,
    /// What evaluations remember.
    pub cache: Cache,
}

impl Ring {
    /// An empty ring.
    pub fn new(_: &Search) -> Self {
        let seat = || Seat { state: AtomicU32::new(EMPTY), work: Mutex::default() };
        Self {
            seats: (0..AHEAD).map(|_| seat()).collect(),
            added: AtomicU64::new(0),
            removed: AtomicU64::new(0),
            cache: Cache::new(),
        }
    }

    fn seat(&self, n: u64) -> &Seat {
        &self.seats[n as usize % AHEAD]
    }

    fn lock(seat: &Seat) -> MutexGuard<'_, Work> {
        // A panic while scoring ends the search anyway.
        seat.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a program; helpers leave it alone if it is not to be scored.
    pub fn add(&self, program: &Program, score: bool) {
        let n = self.added.load(Ordering::Relaxed);
        let seat = self.seat(n);
        copy(program, &mut Self::lock(seat).program);
        seat.state.store(if score { WAITS } else { DONE }, Ordering::Release);
        self.added.store(n + 1, Ordering::Release);
    }

    /// Scores a waiting program, unless another thread has it.
    fn claim(&self, n: u64, scorer: &mut Scorer<'_>) -> bool {
        let seat = self.seat(n);
        let mine = seat.state.compare_exchange(WAITS, TAKEN, Ordering::AcqRel, Ordering::Relaxed).is_ok();
        if mine {
            let work = &mut *Self::lock(seat);
            scorer.score(&work.program, &self.cache, &mut work.scored);
            seat.state.store(DONE, Ordering::Release);
        }
        mine
    }

    /// The oldest program with its score, which is what it would have been without helpers.
    pub fn oldest(&self, scorer: &mut Scorer<'_>) -> MutexGuard<'_, Work> {
        let n = self.removed.load(Ordering::Relaxed);
        let seat = self.seat(n);
        if !self.claim(n, scorer) {
            let mut later = n + 1;
            while seat.state.load(Ordering::Acquire) != DONE {
                // A helper has it; meanwhile another one can be scored.
                if later < self.added.load(Ordering::Relaxed) {
                    self.claim(later, scorer);
                    later += 1;
                } else {
                    std::hint::spin_loop();
                }
            }
        }
        let mut work = Self::lock(seat);
        if work.scored.looked.iter().any(|(key, found)| self.cache.get(*key) != *found) {
            let Work { program, scored } = &mut *work;
            scorer.score(program, &self.cache, scored);
        }
        work
    }

    /// Takes the oldest program out.
    pub fn remove(&self) {
        let n = self.removed.load(Ordering::Relaxed);
        self.seat(n).state.store(EMPTY, Ordering::Release);
        self.removed.store(n + 1, Ordering::Release);
    }

    /// A helper's life.
    pub fn help(&self, search: &Search, closing: &AtomicBool) {
        let Some(mut scorer) = Scorer::new(search) else { return };
        let mut idle = 0;
        while !closing.load(Ordering::Relaxed) {
            let (from, to) = (self.removed.load(Ordering::Acquire), self.added.load(Ordering::Acquire));
            // The oldest is about to be scored by the strategy's thread itself.
            let found = (from + 1..to).any(|n| self.claim(n, &mut scorer));
            if found {
                idle = 0;
                continue;
            }
            idle += 1;
            if idle < TURNS {
                std::hint::spin_loop();
            } else {
                std::thread::sleep(Duration::from_micros(200));
            }
        }
    }
}
