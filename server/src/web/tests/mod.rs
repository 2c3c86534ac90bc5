//! The whole router on a seeded record.

mod acts;
mod attacks;
mod browser;
mod people;
mod plans;
mod provider;
mod seed;
mod site;
mod views;
