use super::*;

/// Made by `ansible-vault` of ansible-core 2.19.14.
const PLAIN_11: &str = r#"$ANSIBLE_VAULT;1.1;AES256
62393665353032366265613165393338623937646662376634393635373339653737386331663265
3933333832316165633238326661633731396637363231630a353366313764363864626161633239
31303163316336646538626436343931313236396533656630396432633130343763613831613435
3831366166336261320a656465346161303838366263663932353262626332353736386366613033
6236
"#;
const DEV_12: &str = r#"$ANSIBLE_VAULT;1.2;AES256;dev
65343835396563336133646430316536336534383938313034303035666536353261623533653063
6666323362653866653136616666366137346331346633620a316135626532313462346330663062
64343736383362616339326564353835663338653763363563393139323333393937333264316461
6566383138313830340a663630623065663264383264386432663230653064366134616236396331
6637
"#;
const BINARY: &str = r#"$ANSIBLE_VAULT;1.1;AES256
39373765646230336266393564653263396666616562613666356563313836646335623235333264
3863343331646235366239366461303963663766313733360a653362623333666663623039336633
65613735303033353265633333373861666635396432616263336631666265346337396361626231
3062663630633263350a393963396231643836656365663938633463393866393037666166323832
3861
"#;

fn ring(passwords: &[(&str, &str)]) -> Keyring {
    let password = |(label, text): &(&str, &str)| Password { label: (*label).into(), bytes: text.as_bytes().to_vec() };
    Keyring::new(passwords.iter().map(password).collect())
}

#[test]
fn what_ansible_encrypted_is_read() {
    let ring = ring(&[("default", "correct horse"), ("dev", "dev secret")]);
    let (plain, by) = ring.open(PLAIN_11.as_bytes()).unwrap();
    assert_eq!((&*plain, by.label.as_str()), (&b"hello vault\n"[..], "default"));
    let (plain, by) = ring.open(DEV_12.as_bytes()).unwrap();
    assert_eq!((&*plain, by.label.as_str()), (&b"hello vault\n"[..], "dev"));
    assert_eq!(&*ring.open(BINARY.as_bytes()).unwrap().0, b"\x00\xff bin\n");
    assert_eq!(ring.reveal(BINARY), Err(VaultError::NotText));
}

#[test]
fn the_same_salt_gives_the_same_text_as_ansible() {
    for (text, label) in [(PLAIN_11, None), (DEV_12, Some("dev"))] {
        let salt = Envelope::parse(text.as_bytes()).unwrap().salt.try_into().unwrap();
        let password = if label.is_some() { "dev secret" } else { "correct horse" };
        let password = Password { label: "any".into(), bytes: password.into() };
        assert_eq!(password.seal(b"hello vault\n", label, salt), text);
    }
}

#[test]
fn any_length_survives_and_a_password_under_another_id_is_tried_too() {
    let ring = ring(&[("a", "x"), ("b", "y")]);
    for length in [0, 1, 15, 16, 17, 4096] {
        let text = vec![7; length];
        let sealed = ring.passwords()[1].seal(&text, Some("a"), [3; 32]);
        let (plain, by) = ring.open(sealed.as_bytes()).unwrap();
        assert_eq!((&*plain, by.label.as_str()), (text.as_slice(), "b"));
    }
}

#[test]
fn a_wrong_or_missing_password_names_the_vault_id() {
    let error = ring(&[("prod", "no"), ("test", "neither")]).open(DEV_12.as_bytes()).unwrap_err().to_string();
    assert_eq!(
        error,
        "it is encrypted for the vault id `dev`, and none of the vault passwords opens it (tried: prod, test)"
    );
    let error = Keyring::none().open(PLAIN_11.as_bytes()).unwrap_err().to_string();
    assert_eq!(error, "it is encrypted, and no vault password was given");
}

#[test]
fn damage_is_an_error_and_never_text() {
    let ring = ring(&[("default", "correct horse")]);
    for end in (0..PLAIN_11.len() - 1).step_by(11) {
        assert!(ring.open(&PLAIN_11.as_bytes()[..end]).is_err(), "cut at {end}");
    }
    for at in (27..PLAIN_11.len() - 1).step_by(17) {
        let mut text = PLAIN_11.as_bytes().to_vec();
        if text[at] != b'\n' {
            text[at] = if text[at] == b'3' { b'4' } else { b'3' };
            assert!(ring.open(&text).is_err(), "changed at {at}");
        }
    }
    for text in [
        "$ANSIBLE_VAULT;1.0;AES",
        "$ANSIBLE_VAULT;1.1;AES256\nzz",
        "$ANSIBLE_VAULT",
        "",
        "$ANSIBLE_VAULT;1.1;AES256\n616",
    ] {
        assert!(matches!(ring.open(text.as_bytes()), Err(VaultError::Format(_))), "{text}");
    }
}

#[test]
fn values_are_opened_where_they_stand_and_are_secret_then() {
    let ring = ring(&[("default", "correct horse")]);
    let mut value = serde_json::json!({"a": [{"__ansible_vault": PLAIN_11}], "b": "hello"});
    ring.reveal_all(&mut value).unwrap();
    assert_eq!(value, serde_json::json!({"a": ["hello vault\n"], "b": "hello"}));
    assert!(ring.secrets().contains("hello vault\n") && !ring.secrets().contains("hello"));
    let mut found = std::collections::BTreeSet::new();
    ring.within(value.as_object().unwrap(), &mut found);
    assert_eq!(found.into_iter().collect::<Vec<_>>(), ["hello vault\n"]);
    let mut foreign = serde_json::json!([{"__ansible_vault": DEV_12}]);
    let (text, why) = ring.reveal_all(&mut foreign).unwrap_err();
    assert_eq!(text, DEV_12);
    assert!(why.to_string().contains("`dev`"), "{why}");
}
