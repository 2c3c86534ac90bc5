//! What rectify keeps and tells: the record of runs, the records of rollouts, announcements, and the channels that they go through.
//!
//! ```text
//! rectify_core::rollout::News ──► announce: Letter (text, HTML) ──► channels: mail · web hook   one per owner, sent once
//! rectify_core::rollout::Rollouts ─► announce::site: pages, feed, calendar                 for everybody
//! rollouts::Store: journal and evidence, append-only                                       what was sent, what was seen
//! ```
//!
//! Nothing here prints, and nothing here decides about hosts: what is due follows from [`rectify_core::rollout`].

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that cannot go on ends"))]

pub mod announce;
pub mod channels;
pub mod drift;
pub mod notify;
pub mod rollouts;
pub mod schedule;
pub mod store;
pub mod templates;
pub mod told;
pub mod web;
