//! Places that are used again. A handle is a place with the number of times that it was taken, so that an old handle
//! never means what is there now.

/// A counted place.
#[derive(Debug)]
struct Place<T> {
    taken: u32,
    owners: u32,
    value: T,
}

/// Places of one kind.
#[derive(Debug)]
pub struct Arena<T> {
    places: Vec<Place<T>>,
    free: Vec<u32>,
}

impl<T: Default> Arena<T> {
    /// None yet.
    pub fn new() -> Self {
        Self { places: Vec::new(), free: Vec::new() }
    }

    /// A place with one owner. It holds what its last user left.
    pub fn take(&mut self) -> u64 {
        let at = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place { taken: 0, owners: 0, value: T::default() });
            self.places.len() as u32 - 1
        });
        let p = &mut self.places[at as usize];
        p.taken = p.taken.wrapping_add(1);
        p.owners = 1;
        u64::from(p.taken) << 32 | u64::from(at)
    }

    /// What is there, unless the handle is old.
    pub fn get(&self, handle: u64) -> Option<&T> {
        self.places.get(handle as u32 as usize).filter(|p| p.taken == (handle >> 32) as u32).map(|p| &p.value)
    }

    /// What is there, to be changed.
    pub fn get_mut(&mut self, handle: u64) -> Option<&mut T> {
        self.places.get_mut(handle as u32 as usize).filter(|p| p.taken == (handle >> 32) as u32).map(|p| &mut p.value)
    }

    /// One more owner.
    pub fn retain(&mut self, handle: u64) {
        if let Some(p) = self.places.get_mut(handle as u32 as usize) {
            p.owners += 1;
        }
    }

    /// One owner less; true if it was the last, and the place is free.
    pub fn release(&mut self, handle: u64) -> bool {
        let at = handle as u32;
        let Some(p) = self.places.get_mut(at as usize).filter(|p| p.owners > 0) else { return false };
        p.owners -= 1;
        if p.owners == 0 {
            self.free.push(at);
        }
        p.owners == 0
    }

    /// How many places there are, free ones included.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Two places at a time, for copying from one to the other.
    pub fn pair(&mut self, from: u64, to: u64) -> Option<(&T, &mut T)> {
        let (a, b) = (from as u32 as usize, to as u32 as usize);
        if a == b || self.get(from).is_none() || self.get(to).is_none() {
            return None;
        }
        if a < b {
            let (x, y) = self.places.split_at_mut(b);
            Some((&x[a].value, &mut y[0].value))
        } else {
            let (x, y) = self.places.split_at_mut(a);
            Some((&y[0].value, &mut x[b].value))
        }
    }
}
