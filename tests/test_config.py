"""Settings from the file, the environment and the command line, as one value."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.config import SECTIONS, SETTINGS, Config, describe
from pipeline.errors import BadSettings
from pipeline.naming import group_tag, job_name, parse_s3_uri, result_place
from pipeline.resolving import ENVIRONMENT, resolve

few = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

words = st.text("abcxyz-_./é '\"\\,", min_size=1, max_size=12)
rates = st.floats(0.001, 10_000)
prices = st.floats(0.001, 1_000_000)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "profile": words,
    "region": words,
    "endpoint_url": words.map(lambda word: f"http://{word}"),
    "include": st.lists(st.text("abc*?[]/é'", min_size=1, max_size=9), min_size=1, max_size=3),
    "exclude": st.lists(st.text("abc*?[]/é'", min_size=1, max_size=9), min_size=1, max_size=3),
    "output": words.map(lambda word: f"{word}.jsonl"),
    "state": words.map(lambda word: f"{word}.state"),
    "results": st.sampled_from(["s3://b", "s3://b/", "s3://b/a/b.!*'()/", "s3://b//"]),
    "language": st.sampled_from(["auto", "en-US", "de-CH", "cy-WL", "zh-HANT", "ast-ES"]),
    "vocabulary": st.from_regex(r"[0-9a-zA-Z._-]{1,200}", fullmatch=True),
    "data_access_role": st.sampled_from(
        ["arn:aws:iam::123456789012:role/a", "arn:aws-cn:iam::000000000000:role/a/b+=,.@-c"]
    ),
    "job_prefix": st.from_regex(r"[0-9a-zA-Z._-]{1,100}", fullmatch=True),
    "max_in_flight": st.integers(1, 100_000),
    "start_rate": rates,
    "get_rate": rates,
    "list_rate": rates,
    "delete_rate": rates,
    "workers": st.integers(1, 1_000),
    "collectors": st.integers(1, 1_000),
    "list_parallel": st.integers(1, 100),
    "poll_seconds": st.floats(0.001, 3_600),
    "job_timeout": st.floats(0.001, 2_160),
    "limit": st.integers(1, 10**9),
    "until": st.sampled_from(["06:00", "6:00Z", "23:59+02:00", "00:00 Europe/Berlin"]),
    "max_hours": st.floats(0.001, 1_000),
    "currency": words,
    "prices_date": words,
    "price_per_minute": prices,
    "price_of_redaction": prices,
    "price_of_language_model": prices,
    "price_of_toxicity": prices,
    "price_tiers": st.sampled_from([["250000: 0.024"], ["1: 0", "2.5: 3"]]),
    "minutes_this_month": prices,
    "kind": st.sampled_from(["transcript", "segments"]),
    "model_version": words,
    "url": words.map(lambda word: f"https://{word}"),
    "project": st.integers(1, 10**9),
    "token_file": words,
    "review_below": st.floats(0.001, 1),
    "ground_truth": words,
}
chosen = st.fixed_dictionaries({}, optional=VALUES).filter(
    lambda values: (
        values.get("output", "tasks.jsonl") != values.get("state")
        and not (values.get("language") == "auto" and "vocabulary" in values)
    )
)


def as_toml(values: dict[str, Any]) -> str:
    """A file that holds the values; JSON's strings, numbers and lists are TOML's too."""
    sections = {
        section: [f"{n} = {json.dumps(v)}" for n, v in values.items() if SETTINGS[n] == section]
        for section in SECTIONS
    }
    return "\n".join(line for s, lines in sections.items() if lines for line in (f"[{s}]", *lines))


def as_environment(values: dict[str, Any]) -> dict[str, str]:
    """Variables that hold the values; a list is written with commas."""
    return {
        f"{ENVIRONMENT}{name.upper()}": ",".join(value) if isinstance(value, list) else str(value)
        for name, value in values.items()
    }


def value_of(config: Config, name: str) -> Any:
    return getattr(getattr(config, SETTINGS[name]), name)


def written(folder: Path, text: str) -> Path:
    path = folder / "config.toml"
    path.write_text(text, encoding="utf-8")
    return path


def complaint(flags: Any = (), environment: Any = (), path: Path | None = None) -> str:
    """What the settings are refused with."""
    with pytest.raises(BadSettings) as refused:
        resolve(dict(flags), dict(environment), path)
    return str(refused.value)


def test_every_setting_is_tried():
    """These tests know a valid value of each setting there is."""
    assert set(SETTINGS) == set(VALUES)


@few
@given(chosen)
def test_values_come_back_from_the_file(tmp_path, values):
    """Whatever valid value the file holds is what the run gets."""
    config = resolve({}, {}, written(tmp_path, as_toml(values)))

    assert values == {name: value_of(config, name) for name in values}


@few
@given(chosen)
def test_values_come_back_from_the_environment(values):
    """Whatever valid value a variable holds is what the run gets."""
    config = resolve({}, as_environment(values))

    assert values == {name: value_of(config, name) for name in values}


@few
@given(chosen)
def test_values_come_back_from_flags(values):
    """Whatever valid value a flag holds is what the run gets."""
    config = resolve(values, {})

    assert values == {name: value_of(config, name) for name in values}


@few
@given(chosen)
def test_what_is_not_given_has_its_default(values):
    """Settings that nobody gave are as the code has them."""
    config = resolve(values, {})

    others = set(SETTINGS) - set(values)
    assert all(value_of(Config(), name) == value_of(config, name) for name in others)


@pytest.mark.parametrize("given_in", range(8))
def test_a_flag_wins_over_the_environment_over_the_file(tmp_path, given_in):
    """The order is flag, then environment, then file, then default, whichever are given."""
    in_file, in_environment, in_flags = given_in & 1, given_in & 2, given_in & 4
    path = written(tmp_path, as_toml({"workers": 3}) if in_file else "")
    environment = as_environment({"workers": 4}) if in_environment else {}
    flags = {"workers": 5 if in_flags else None}

    config = resolve(flags, environment, path)

    expected = 5 if in_flags else 4 if in_environment else 3 if in_file else 16
    assert expected == config.limits.workers


@pytest.mark.parametrize("absent", [None, (), []])
def test_a_flag_that_was_not_given_changes_nothing(absent):
    """No flag is no value: what the environment says stays."""
    config = resolve({"include": absent}, as_environment({"include": ["*.wav"]}))

    assert config.input.include == ["*.wav"]


def test_an_empty_flag_is_a_value():
    """A flag can set a text back to nothing against the environment."""
    config = resolve({"results": ""}, as_environment({"results": "s3://b/"}))

    assert config.output.results == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[limits]\nmax_inflight = 5", "no key max_inflight in [limits]. Did you mean max_in_flig"),
        ("[limit]\nworkers = 5", "no section [limit]. Did you mean [limits]?"),
        ("[tasks]\nworkers = 5", "no key workers in [tasks]. Did you mean workers in [limits]?"),
        ("languag = 'en-US'", "no section [languag]. Did you mean language in [transcribe]?"),
        ("limit = 5", "no section [limit]. Did you mean limit in [budget]?"),
        ("[limits]\nuntil = '06:00'", "no key until in [limits]. Did you mean until in [budget]?"),
        ("[qqqqqq]", "no section [qqqqqq]. config.example.toml lists them all."),
    ],
)
def test_an_unknown_key_is_named_with_the_nearest_known_one(tmp_path, text, said):
    """What the file should not hold is refused, with the name that was probably meant."""
    assert said in complaint(path=written(tmp_path, text))


@pytest.mark.parametrize(
    "wrong", ["WORKER", "LIMITS", "MAX_HOUR", "MAX_INFLIGHT", "OUTPUTS", "TASK", "INPUT"]
)
def test_the_variable_that_is_named_instead_exists(wrong):
    """The variable that a complaint proposes can be set."""
    said = complaint(environment={f"{ENVIRONMENT}{wrong}": "5"})

    proposed = said.partition(f"Did you mean {ENVIRONMENT}")[2].rstrip("?").lower()
    assert f"{ENVIRONMENT}{wrong} is no setting" in said
    assert proposed in SETTINGS or "config.example.toml" in said


def test_other_programs_variables_are_left_alone():
    """Only variables of our own prefix are looked at; the one that names the file is known."""
    environment = {"WORKERS": "x", "PATH": "/bin", f"{ENVIRONMENT}CONFIG": "a.toml"}

    assert resolve({}, environment) == Config()


def test_all_complaints_come_in_one_message(tmp_path):
    """One message names what is wrong in the file, the environment and the flags."""
    path = written(tmp_path, "[limits]\nworkers = 0\nget_rat = 1\n[nothing]\n")
    environment = {f"{ENVIRONMENT}COLLECTORS": "many", f"{ENVIRONMENT}NOTHING": ""}

    said = complaint({"language": "English"}, environment, path)

    names = ("workers", "get_rat", "nothing", "COLLECTORS".lower(), "NOTHING", "language")
    assert all(name in said for name in names)
    assert len(said.splitlines()) == 6


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("[limits]\nworkers = 'many'", "workers = 'many'"),
        ("[limits]\nworkers = 1.5", "expected int, got float"),
        ("[limits]\nworkers = true", "expected int, got bool"),
        ("[limits]\nstart_rate = nan", "start_rate = nan"),
        ("[output]\noutput = 3", "expected str, got int"),
        ("[output]\noutput = ['a']", "expected str, got array"),
        ("[input]\ninclude = [1]", "expected str, got int"),
        ("[input]\ninclude = 1", "expected array, got int"),
        ("[limits]\nworkers = {}", "expected int, got object"),
    ],
)
def test_a_value_of_the_wrong_type_is_named(tmp_path, line, said):
    """A wrong type is refused with the setting, its value and where it stands."""
    path = written(tmp_path, line)

    message = complaint(path=path)

    assert said in message
    assert f"in {path}: " in message


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("max_in_flight", (0, -1, 100_001)),
        ("start_rate", (0, -1, 10_001, float("nan"), float("inf"))),
        ("workers", (0, 1_001)),
        ("poll_seconds", (0, 3_601)),
        ("language", ("", "english", "EN-us", "en_US", "en-US\n")),
        ("vocabulary", ("a b", "é", "a" * 201, "a\n")),
        ("job_prefix", ("", "a b", "é", "a" * 101, "a\n")),
        ("results", ("bucket", "s3://", "https://b/a", "s3://b/a b", "s3://b/é", "s3://b/a\n")),
        ("output", ("", "-", ".")),
        ("endpoint_url", ("localhost:4566", "ftp://x", "s3://b")),
        ("data_access_role", ("role", "arn:aws:iam::1:role/a", "arn:aws:iam::123456789012:user/a")),
        ("job_timeout", (0, -1, 2_161)),
        ("limit", (-1,)),
        ("until", ("noon", "24:00", "06:00 Nowhere")),
        ("max_hours", (-0.5,)),
        ("kind", ("", "words", "Segments", "TRANSCRIPT")),
        ("project", (-1,)),
        ("review_below", (-0.1, 1.1, float("nan"))),
    ],
)
def test_a_value_out_of_bounds_is_refused(name, values):
    """A value that the service or the program can't work with is refused by name."""
    assert all(name in complaint({name: value}) for value in values)


def test_output_and_state_are_two_files():
    """A state file that is the output itself would be destroyed by it."""
    said = complaint({"output": "a.jsonl", "state": str(Path("a.jsonl").absolute())})

    assert "same file" in said


def test_the_longest_prefixes_make_a_key_that_the_service_takes():
    """No accepted results and job_prefix make an OutputKey of more than 1,024 characters."""
    flags = {"results": "s3://b/" + "r" * 850, "job_prefix": "p" * 100}
    config = resolve(flags, {})
    name = job_name(group_tag(config.transcribe.job_prefix, "b"), bytes(16), 9_999)

    place = parse_s3_uri(config.output.results)

    assert place is not None
    assert len(result_place(place, name).key) <= 1024
    assert "at most 850" in complaint({"results": "s3://b/" + "r" * 851})


@pytest.mark.parametrize("content", [b"[limits", b"\xff\xfe", b"a = "])
def test_a_file_that_is_no_toml_is_refused(tmp_path, content):
    """A damaged file is refused with one sentence that names it."""
    path = tmp_path / "config.toml"
    path.write_bytes(content)

    said = complaint(path=path)

    assert said.startswith(f"The configuration file {path} is not valid TOML: ")


def test_a_file_that_is_missing_is_refused(tmp_path):
    """A file that was named and is not there is not passed over."""
    said = complaint(path=tmp_path / "none.toml")

    assert said.endswith("none.toml can't be read: No such file or directory.")


def test_the_state_stands_beside_the_output():
    """A state file that is not named is the output's name with .state."""
    config = resolve({"output": "a/calls.jsonl"}, {})

    assert config.state_path == Path("a/calls.jsonl.state")


def test_the_failures_stand_beside_the_output():
    """The failed recordings are in a file of the output's name."""
    config = resolve({"output": "a/calls.jsonl"}, {})

    assert config.failures_path == Path("a/calls.failures.jsonl")


@pytest.mark.parametrize(
    ("flags", "most"),
    [
        ({}, 1_000),
        ({"data_access_role": "arn:aws:iam::123456789012:role/a"}, 10_000),
        ({"data_access_role": "arn:aws:iam::123456789012:role/a", "max_in_flight": 99}, 99),
        ({"max_in_flight": 99}, 99),
    ],
)
def test_where_the_service_queues_jobs_its_queue_is_the_bound(flags, most):
    """With a role for deferred jobs 10,000 may be under way, unless the user wants fewer."""
    assert resolve(flags, {}).most_in_flight == most


def test_only_what_changes_a_transcript_changes_the_fingerprint():
    """Another language or vocabulary is another job; more workers or another output are not."""
    plain = Config().fingerprint

    assert plain == resolve({"workers": 99, "output": "x", "limit": 1}, {}).fingerprint
    assert plain != resolve({"language": "de-DE"}, {}).fingerprint
    assert plain != resolve({"vocabulary": "calls"}, {}).fingerprint


def test_a_vocabulary_is_of_one_language():
    """With identified languages a vocabulary is refused, and the message says what to do."""
    said = complaint({"language": "auto", "vocabulary": "calls"})

    assert "does not go with language = 'auto'. Name the language." in said


def test_the_predictions_are_named_after_the_language():
    """Without a name of its own model_version is the service and the language, and constant."""
    versions = [
        resolve(f, {}).model_version for f in ({"language": "de-DE"}, {"model_version": "m"})
    ]

    assert versions == ["amazon-transcribe/de-DE", "m"]


@pytest.mark.parametrize("name", SETTINGS)
def test_every_setting_says_what_it_means(name):
    """Each setting has a sentence for the help, with its default where it has one."""
    default = value_of(Config(), name)

    said = describe(name)

    assert said.split("[default")[0].strip().endswith(".")
    assert (f"[default: {default}]" in said) == (default not in ("", []))


def test_settings_can_not_be_changed():
    """The settings are a value: nobody alters them once a run has begun."""
    limits = Config().limits

    with pytest.raises(AttributeError):
        limits.workers = 5  # type: ignore[misc]
