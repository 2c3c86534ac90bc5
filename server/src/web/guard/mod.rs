//! Who somebody is, what he may do, and what no request may do.
//!
//! Around everything stand [`headers::headers`] and [`headers::host`]; then [`visitor::identify`] finds out who somebody is, [`visitor::same_origin`]
//! refuses what another site's page sends, and [`visitor::admit`] lets nobody in who has to log in first. Whatever changes something takes a
//! [`Form`], which is refused without the role and without the token.

mod form;
mod headers;
mod limit;
mod login;
mod next;
mod oidc;
mod proxy;
mod session;
mod token;
mod users;
mod visitor;

pub(super) use form::Form;
pub(super) use headers::{headers, host};
pub(super) use limit::Limits;
pub(super) use login::{log_in, log_out, login_page};
pub(super) use oidc::{Provider, oidc_back, oidc_begin};
pub(crate) use token::same;
pub(super) use users::Users;
pub use users::hash_password;
pub(super) use visitor::{Visitor, Who, admit, identify, same_origin};
