//! What goes over the channel between the controller and the helper.
//!
//! ```text
//! controller ── ToHost frames ──►  helper        u32 big-endian length, then that many bytes
//!            ◄── FromHost frames ──               (hello: JSON; every other frame: MessagePack with named fields,
//!                                                   the plan as JSON text within)
//! ```
//!
//! The helper speaks first: a [`Hello`], as JSON so that any version can read any other's and say "protocol mismatch".
//! The controller then sends one [`ToHost::Plan`], the blobs that the plan names, and [`ToHost::Go`]; nothing further is
//! needed for the helper to finish. [`ToHost::Cancel`] may come at any time. The helper ends with [`FromHost::Done`] and
//! exits; a channel that ends without it is a lost host.

use std::{
    io::{self, Read, Write},
    time::Duration,
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{event::HostEvent, plan::Plan};

/// The version of this protocol. It changes whenever a frame changes its meaning.
pub const PROTOCOL: u32 = 3;

/// How often a helper says that it is there.
pub const BEAT: Duration = Duration::from_secs(5);

/// The largest frame, in bytes. A longer one ends the exchange with an error.
pub const MAX_FRAME: usize = 16 << 20;

/// The largest piece of a blob in one frame, in bytes.
pub const BLOB_CHUNK: usize = 4 << 20;

/// The helper's first frame.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The helper's [`PROTOCOL`].
    pub protocol: u32,
    /// The helper's package version, for messages.
    pub version: String,
    /// `uname -m`.
    pub arch: String,
    /// The effective user id that the helper runs under.
    pub uid: u32,
}

/// From the controller to the helper.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum ToHost {
    /// What to do on this host.
    Plan(#[serde(with = "text")] Box<Plan>),
    /// A piece of a file that the plan names by its hash; pieces of one blob come in order.
    Blob {
        /// Lower-case hexadecimal SHA-256 of the whole.
        sha256: String,
        /// The piece, at most [`BLOB_CHUNK`] bytes.
        #[serde(with = "bytes")]
        bytes: Vec<u8>,
        /// Whether this is the last piece.
        last: bool,
    },
    /// Everything has been sent: begin.
    Go,
    /// Stop scheduling; with `kill`, also end the commands that run now.
    Cancel {
        /// Whether running commands are ended too.
        kill: bool,
    },
}

/// From the helper to the controller, after the [`Hello`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum FromHost {
    /// Something happened.
    Event(HostEvent),
    /// The plan is through (or was cancelled); the helper exits.
    Done,
    /// The helper is there, whatever its tasks are waiting for; sent every [`BEAT`].
    Alive,
    /// The helper could not go on; it exits. The text is for a person.
    Fatal(String),
}

/// Why a frame could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The channel failed.
    #[error("reading or writing a frame")]
    Io(#[from] io::Error),
    /// The frame is longer than [`MAX_FRAME`].
    #[error("a frame of {0} bytes is over the limit of {MAX_FRAME}")]
    TooLong(usize),
    /// The bytes are no frame of this protocol.
    #[error("a frame that cannot be decoded: {0}")]
    Decode(String),
}

/// Encodes a frame's contents (without the length) as MessagePack with named fields.
///
/// # Errors
/// [`WireError::TooLong`] if the result is over [`MAX_FRAME`].
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, WireError> {
    let bytes = rmp_serde::to_vec_named(message).map_err(|e| WireError::Decode(e.to_string()))?;
    if bytes.len() > MAX_FRAME { Err(WireError::TooLong(bytes.len())) } else { Ok(bytes) }
}

/// Decodes a frame's contents.
///
/// # Errors
/// [`WireError::Decode`] if the bytes are not a `T`.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, WireError> {
    rmp_serde::from_slice(bytes).map_err(|e| WireError::Decode(e.to_string()))
}

/// Writes one frame: length, contents, flush.
///
/// # Errors
/// As the channel's, or [`WireError::TooLong`].
pub fn write_frame(to: &mut impl Write, contents: &[u8]) -> Result<(), WireError> {
    if contents.len() > MAX_FRAME {
        return Err(WireError::TooLong(contents.len()));
    }
    let length = u32::try_from(contents.len()).expect("MAX_FRAME fits in 32 bits");
    to.write_all(&length.to_be_bytes())?;
    to.write_all(contents)?;
    to.flush()?;
    Ok(())
}

/// Reads one frame's contents; `None` at a clean end of the channel.
///
/// # Errors
/// As the channel's (an end within a frame included), or [`WireError::TooLong`].
pub fn read_frame(from: &mut impl Read) -> Result<Option<Vec<u8>>, WireError> {
    let mut length = [0; 4];
    let mut have = 0;
    while have < 4 {
        match from.read(&mut length[have..]) {
            Ok(0) if have == 0 => return Ok(None),
            Ok(0) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            Ok(n) => have += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e.into()),
        }
    }
    let length = u32::from_be_bytes(length) as usize;
    if length > MAX_FRAME {
        return Err(WireError::TooLong(length));
    }
    let mut contents = vec![0; length];
    from.read_exact(&mut contents)?;
    Ok(Some(contents))
}

mod text {
    //! The plan as JSON text: the helper's code to read it is half as large as for MessagePack, and the helper travels.
    use serde::{Deserializer, Serializer, de, ser};

    use super::Plan;

    pub(super) fn serialize<S: Serializer>(plan: &Plan, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&serde_json::to_string(plan).map_err(ser::Error::custom)?)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Box<Plan>, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Box<Plan>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a plan")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Box<Plan>, E> {
                serde_json::from_str(text).map_err(E::custom)
            }
        }
        from.deserialize_str(Visitor)
    }
}

mod bytes {
    //! Byte strings as MessagePack binary, not as arrays of numbers.
    use serde::{Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(bytes)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Vec<u8>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a byte string")
            }
            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
                Ok(bytes.to_vec())
            }
            fn visit_byte_buf<E: de::Error>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
                Ok(bytes)
            }
        }
        from.deserialize_byte_buf(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_comes_back_as_it_went() {
        let mut channel = Vec::new();
        let blob = ToHost::Blob { sha256: "ab".into(), bytes: vec![0, 255, 7], last: true };
        write_frame(&mut channel, &encode(&blob).unwrap()).unwrap();
        let mut from = channel.as_slice();
        let back: ToHost = decode(&read_frame(&mut from).unwrap().unwrap()).unwrap();
        assert!(matches!(back, ToHost::Blob { bytes, last: true, .. } if bytes == [0, 255, 7]));
        assert!(read_frame(&mut from).unwrap().is_none());
    }

    #[test]
    fn a_frame_cut_short_is_an_error_and_not_an_end() {
        let mut channel = Vec::new();
        write_frame(&mut channel, b"hello").unwrap();
        for end in 1..channel.len() {
            assert!(read_frame(&mut &channel[..end]).is_err(), "cut at {end}");
        }
    }

    #[test]
    fn a_length_over_the_limit_is_refused_before_anything_is_allocated() {
        assert!(matches!(read_frame(&mut &[0xff; 8][..]), Err(WireError::TooLong(_))));
    }

    /// Plans and recorded events are JSON text: what is read is the number that was written, not the one beside it.
    #[test]
    fn a_number_with_a_fraction_stays_itself_in_json() {
        for number in [1795354702.0176265, 0.1, 1e300, 5e-324] {
            let text = serde_json::to_string(&number).unwrap();
            assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), number, "{text}");
        }
    }
}
