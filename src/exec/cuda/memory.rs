//! Persistent tensors on a device: row-major, each in memory of its own.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::device::{Buffer, Device};
use crate::exec::{Data, ExecError, Memory, Tensor, initial};
use crate::graph::{DType, Init};

/// The executor's [`Memory`].
pub struct CudaMemory {
    device: Arc<Device>,
    tensors: BTreeMap<String, Stored>,
    /// What went wrong where nothing could be returned; the next run says it.
    pub trouble: Option<ExecError>,
}

/// One persistent tensor.
pub struct Stored {
    /// Its extents.
    pub shape: Vec<usize>,
    /// Its type.
    pub dtype: DType,
    /// Its elements.
    pub buffer: Buffer,
}

impl CudaMemory {
    /// Empty.
    pub fn new(device: Arc<Device>) -> Self {
        Self { device, tensors: BTreeMap::new(), trouble: None }
    }

    /// The tensor of a name.
    pub fn find(&self, name: &str) -> Option<&Stored> {
        self.tensors.get(name)
    }

    fn put(&mut self, name: &str, value: &Tensor) -> Result<(), ExecError> {
        let len: usize = value.shape.iter().product();
        let same = |t: &Stored| t.shape == value.shape && t.dtype == value.dtype();
        if !self.tensors.get(name).is_some_and(same) {
            let buffer = Buffer::new(&self.device, len * 4, false)?;
            let stored = Stored { shape: value.shape.clone(), dtype: value.dtype(), buffer };
            self.tensors.insert(name.to_owned(), stored);
        }
        let Some(t) = self.tensors.get(name) else { return Ok(()) };
        match &value.data {
            Data::Float(v) => self.device.upload(t.buffer.at, v),
            Data::Int(v) => self.device.upload(t.buffer.at, v),
        }
    }
}

impl Memory for CudaMemory {
    fn ensure(&mut self, name: &str, shape: &[usize], init: &Init, seed: u64) -> Result<(), ExecError> {
        if let Some(t) = self.tensors.get(name) {
            if t.shape == shape {
                return Ok(());
            }
            return Err(ExecError::Input(format!("`{name}` has shape {:?}, but {shape:?} is wanted", t.shape)));
        }
        self.put(name, &Tensor::float(shape, initial(name, shape, init, seed)))
    }

    fn get(&self, name: &str) -> Option<Tensor> {
        let t = self.tensors.get(name)?;
        let len = t.shape.iter().product();
        match t.dtype {
            DType::Float => {
                let mut v = vec![0.0f32; len];
                self.device.download(&mut v, t.buffer.at).ok()?;
                Some(Tensor::float(&t.shape, v))
            }
            DType::Int => {
                let mut v = vec![0i32; len];
                self.device.download(&mut v, t.buffer.at).ok()?;
                Some(Tensor::int(&t.shape, v))
            }
        }
    }

    fn set(&mut self, name: &str, value: &Tensor) {
        if let Err(e) = self.put(name, value) {
            self.trouble.get_or_insert(e);
        }
    }

    fn names(&self) -> Vec<String> {
        self.tensors.keys().cloned().collect()
    }

    fn as_any(&mut self) -> &mut dyn Any {
        self
    }
}
