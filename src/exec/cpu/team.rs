//! Threads that run one program together.
//!
//! A run is a sequence of phases, each in pieces. Whoever is free takes the next piece, and goes on to the next phase
//! when all pieces of the last one are done; a thread that the machine gives no core to, or that wakes late, holds
//! nobody up. Nothing is summed across pieces, so that results depend neither on who did what nor on how many there are.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// A piece of something that is done in pieces.
#[derive(Clone, Copy, Debug)]
pub struct Share {
    /// Which one.
    pub index: usize,
    /// How many there are.
    pub of: usize,
}

impl Share {
    /// All of the work.
    pub const ALL: Share = Share { index: 0, of: 1 };

    /// Its part of `n` things in units of `unit`, as equal as that allows.
    pub fn of(self, n: usize, unit: usize) -> Range<usize> {
        let units = n.div_ceil(unit);
        let at = |i: usize| (units * i / self.of * unit).min(n);
        at(self.index)..at(self.index + 1)
    }

    /// Whether `n` things in units of `unit` give every piece something to do.
    pub fn divides(self, n: usize, unit: usize) -> bool {
        n.div_ceil(unit) >= self.of
    }
}

/// Looks at the others' progress before the core is offered to somebody else: some microseconds.
const PATIENCE: usize = 4096;

/// How far a phase is.
#[derive(Debug, Default)]
struct Progress {
    taken: AtomicUsize,
    done: AtomicUsize,
}

/// A run of all phases.
pub struct Job<T> {
    work: T,
    /// The number of pieces of each phase.
    pieces: Arc<[usize]>,
    phases: Vec<Progress>,
    threads: AtomicUsize,
    broken: AtomicBool,
}

/// What a job does.
pub trait Pieces: Send + Sync {
    /// Does a piece of a phase on the thread of this number; each number is one thread.
    fn piece(&self, phase: usize, share: Share, thread: usize);
}

impl<T: Pieces> Job<T> {
    /// A job whose phases have so many pieces each.
    pub fn new(work: T, pieces: &Arc<[usize]>) -> Self {
        let phases = pieces.iter().map(|_| Progress::default()).collect();
        Self { work, pieces: pieces.clone(), phases, threads: AtomicUsize::new(0), broken: AtomicBool::new(false) }
    }

    /// Does whatever is left to do. Returns when all is done.
    ///
    /// # Panics
    /// When another thread panicked, and will never finish its piece.
    pub fn help(&self) {
        let thread = self.threads.fetch_add(1, Ordering::Relaxed);
        let _alarm = Alarm(&self.broken);
        for (p, (&of, progress)) in self.pieces.iter().zip(&self.phases).enumerate() {
            loop {
                let index = progress.taken.fetch_add(1, Ordering::Relaxed);
                if index >= of {
                    break;
                }
                self.work.piece(p, Share { index, of }, thread);
                progress.done.fetch_add(1, Ordering::Release);
            }
            let mut looks = 0;
            while progress.done.load(Ordering::Acquire) < of {
                assert!(!self.broken.load(Ordering::Relaxed), "another thread of the program panicked");
                looks += 1;
                if looks < PATIENCE { std::hint::spin_loop() } else { std::thread::yield_now() }
            }
        }
    }

    /// Of the work, when it is done.
    pub fn work(&self) -> &T {
        &self.work
    }
}

/// Tells the others of a panic.
struct Alarm<'a>(&'a AtomicBool);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}

/// Threads that wait for jobs of one kind. They end when the team is dropped.
pub struct Team<T: Pieces + 'static> {
    /// How many threads run a job together.
    pub threads: usize,
    desk: Arc<Desk<T>>,
}

struct Desk<T> {
    queue: Mutex<Queue<T>>,
    wake: Condvar,
    /// Jobs in the queue, for those who look without the lock.
    waiting: AtomicUsize,
}

struct Queue<T> {
    jobs: VecDeque<Arc<Job<T>>>,
    idle: usize,
    closed: bool,
}

impl<T> Desk<T> {
    fn queue(&self) -> MutexGuard<'_, Queue<T>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Pieces + 'static> Team<T> {
    /// A team that runs each job on so many threads, that of the caller included.
    pub fn new(threads: usize) -> Self {
        let queue = Queue { jobs: VecDeque::new(), idle: 0, closed: false };
        let desk = Desk { queue: Mutex::new(queue), wake: Condvar::new(), waiting: AtomicUsize::new(0) };
        Self { threads: threads.max(1), desk: Arc::new(desk) }
    }

    /// Runs a job, with help where there is some.
    pub fn run(&self, job: Job<T>) -> Arc<Job<T>> {
        let job = Arc::new(job);
        if self.threads > 1 {
            let mut queue = self.desk.queue();
            for _ in 1..self.threads {
                queue.jobs.push_back(job.clone());
            }
            while queue.idle < queue.jobs.len() {
                queue.idle += 1;
                let desk = self.desk.clone();
                std::thread::spawn(move || serve(&desk));
            }
            self.desk.waiting.store(queue.jobs.len(), Ordering::Release);
            drop(queue);
            self.desk.wake.notify_all();
        }
        job.help();
        if self.threads > 1 {
            let mut queue = self.desk.queue();
            queue.jobs.retain(|j| !Arc::ptr_eq(j, &job));
            self.desk.waiting.store(queue.jobs.len(), Ordering::Release);
        }
        job
    }
}

impl<T: Pieces + 'static> Drop for Team<T> {
    fn drop(&mut self) {
        self.desk.queue().closed = true;
        self.desk.wake.notify_all();
    }
}

/// The life of a helper.
fn serve<T: Pieces>(desk: &Desk<T>) {
    loop {
        // The next step of a training loop comes soon.
        let mut looks = 0;
        while looks < 8 * PATIENCE && desk.waiting.load(Ordering::Acquire) == 0 {
            looks += 1;
            std::hint::spin_loop();
        }
        let mut queue = desk.queue();
        let job = loop {
            if queue.closed {
                return;
            }
            if let Some(job) = queue.jobs.pop_front() {
                queue.idle -= 1;
                desk.waiting.store(queue.jobs.len(), Ordering::Release);
                break job;
            }
            queue = desk.wake.wait(queue).unwrap_or_else(PoisonError::into_inner);
        };
        drop(queue);
        // A panic is the caller's to report: it finds the job broken.
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| job.help()));
        drop(job);
        desk.queue().idle += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_cover_everything_once() {
        for (n, unit, of) in [(10, 1, 3), (16, 8, 2), (17, 8, 2), (3, 8, 2), (0, 4, 2), (100, 7, 4)] {
            let all: Vec<usize> = (0..of).flat_map(|index| Share { index, of }.of(n, unit)).collect();
            assert_eq!(all, (0..n).collect::<Vec<_>>());
        }
    }

    /// Counts the pieces of each phase, and panics in a given one.
    struct Count {
        phases: Vec<AtomicUsize>,
        panics: Option<(usize, usize)>,
        busy: Vec<AtomicUsize>,
    }

    impl Pieces for Count {
        fn piece(&self, phase: usize, share: Share, thread: usize) {
            assert_eq!(self.busy[thread].fetch_add(1, Ordering::Relaxed), 0, "a number is one thread");
            assert_ne!(self.panics, Some((phase, share.index)), "as told");
            // The phase before is complete.
            assert!(phase == 0 || self.phases[phase - 1].load(Ordering::Relaxed) == share.of);
            self.phases[phase].fetch_add(1, Ordering::Relaxed);
            self.busy[thread].fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn count(phases: usize, panics: Option<(usize, usize)>) -> Job<Count> {
        let zeros = |n: usize| (0..n).map(|_| AtomicUsize::new(0)).collect();
        Job::new(Count { phases: zeros(phases), panics, busy: zeros(3) }, &vec![3; phases].into())
    }

    #[test]
    fn phases_follow_each_other() {
        let team = Team::new(3);
        for _ in 0..100 {
            let done = team.run(count(50, None));
            assert!(done.work().phases.iter().all(|p| p.load(Ordering::Relaxed) == 3));
        }
    }

    #[test]
    fn jobs_of_several_callers_run_at_once() {
        let team = Team::new(2);
        std::thread::scope(|s| {
            for _ in 0..4 {
                s.spawn(|| (0..50).for_each(|_| assert_eq!(team.run(count(9, None)).work().phases.len(), 9)));
            }
        });
    }

    #[test]
    fn a_panic_ends_the_run() {
        for piece in 0..3 {
            let team = Team::new(3);
            let run = std::panic::AssertUnwindSafe(|| team.run(count(5, Some((2, piece)))));
            assert!(std::panic::catch_unwind(run).is_err());
        }
    }
}
