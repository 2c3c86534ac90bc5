//! The whole router on a seeded record.

mod browser;
mod seed;
mod site;
mod views;
