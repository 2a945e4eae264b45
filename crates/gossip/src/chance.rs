//! The seeded generator in the form that the protocol takes.

use std::convert::Infallible;

use rand::rand_core::TryRng;

/// See the module. Which neighbours a node picks is no secret: nothing here needs a cryptographic generator.
#[derive(Debug)]
pub(crate) struct Chance(pub(crate) fastrand::Rng);

impl TryRng for Chance {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.0.u32(..))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.0.u64(..))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill(bytes);
        Ok(())
    }
}
