//! What a run is told as, in a terminal and on a page alike: identical reports put together over hosts, and the words for outcomes.

mod group;
mod lines;
mod list;
pub mod text;
mod traces;
pub mod words;

pub use group::{Groups, Said, Same, Shown, Stands, TaskGroup, said};
pub use lines::lines;
pub use list::items;
pub use traces::{trace, traces};
