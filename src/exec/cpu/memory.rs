//! Persistent tensors: row-major, each in an allocation of its own.

use std::any::Any;
use std::collections::BTreeMap;

use super::layout::{Aligned, Layout};
use crate::exec::{Data, ExecError, Memory, Tensor, initial_to};
use crate::graph::{DType, Init};

/// The executor's [`Memory`].
#[derive(Default)]
pub struct CpuMemory {
    tensors: BTreeMap<String, Stored>,
}

/// One persistent tensor.
pub struct Stored {
    /// Its extents.
    pub shape: Vec<usize>,
    /// Its type.
    pub dtype: DType,
    /// Its elements, row-major.
    pub data: Aligned,
}

impl CpuMemory {
    /// The tensor of a name.
    pub fn find(&mut self, name: &str) -> Option<&mut Stored> {
        self.tensors.get_mut(name)
    }
}

impl Memory for CpuMemory {
    fn ensure(&mut self, name: &str, shape: &[usize], init: &Init, seed: u64) -> Result<(), ExecError> {
        if let Some(t) = self.tensors.get(name) {
            if t.shape == shape {
                return Ok(());
            }
            return Err(ExecError::Input(format!("`{name}` has shape {:?}, but {shape:?} is wanted", t.shape)));
        }
        let mut data = Aligned::new(Layout::new(shape, None).size);
        if *init != Init::Constant(0.0) {
            let to: usize = shape.iter().product();
            initial_to(name, shape, init, seed, &mut data.floats_mut()[..to]);
        }
        self.tensors.insert(name.to_owned(), Stored { shape: shape.to_vec(), dtype: DType::Float, data });
        Ok(())
    }

    fn get(&self, name: &str) -> Option<Tensor> {
        let t = self.tensors.get(name)?;
        let values = &t.data.floats()[..t.shape.iter().product()];
        Some(match t.dtype {
            DType::Float => Tensor::float(&t.shape, values.to_vec()),
            DType::Int => Tensor::int(&t.shape, values.iter().map(|x| x.to_bits() as i32).collect()),
        })
    }

    fn set(&mut self, name: &str, value: &Tensor) {
        let layout = Layout::new(&value.shape, None);
        let mut data = Aligned::new(layout.size);
        match &value.data {
            Data::Float(v) => data.floats_mut()[..v.len()].copy_from_slice(v),
            Data::Int(v) => {
                for (to, &x) in data.floats_mut().iter_mut().zip(v) {
                    *to = f32::from_bits(x as u32);
                }
            }
        }
        self.tensors.insert(name.to_owned(), Stored { shape: value.shape.clone(), dtype: value.dtype(), data });
    }

    fn names(&self) -> Vec<String> {
        self.tensors.keys().cloned().collect()
    }

    fn as_any(&mut self) -> &mut dyn Any {
        self
    }
}
