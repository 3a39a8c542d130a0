"""Settings from the file, the environment and the command line, as one value."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.loading import ENVIRONMENT, resolve
from pipeline.config.schema import SECTIONS, SETTINGS, Config, describe, flag_of
from pipeline.config.shards import NO_SHARD
from pipeline.config.transcription import Transcribe
from pipeline.errors import BadSettings
from pipeline.naming import job_name, job_name_prefix, parse_s3_uri, result_place

words = st.text("abcxyz-_./é '\"\\,", min_size=1, max_size=12)
pairs = st.dictionaries(st.sampled_from("abc"), st.text("xyz:/.1", min_size=1), min_size=1)
rates = st.floats(0.001, 10_000)
prices = st.floats(0.001, 1_000_000)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "profile": words,
    "region": words,
    "endpoint_url": words.map(lambda word: f"http://{word}"),
    "events": st.text("abcxyz-_", min_size=1, max_size=80).map(
        lambda name: f"https://sqs.eu-west-1.amazonaws.com/123456789012/{name}"
    ),
    "include": st.lists(st.text("abc*?[]/é'", min_size=1, max_size=9), min_size=1, max_size=3),
    "exclude": st.lists(st.text("abc*?[]/é'", min_size=1, max_size=9), min_size=1, max_size=3),
    "output": words.map(lambda word: f"{word}.jsonl"),
    "state": words.map(lambda word: f"{word}.state"),
    "transcripts": st.sampled_from(["", "texts/", "s3://b/texts/"]),
    "transcript_format": st.sampled_from(["txt", "srt,vtt", "json"]),
    "results": st.sampled_from(["s3://b", "s3://b/", "s3://b/a/b.!*'()/", "s3://b//"]),
    "data_access_role": st.sampled_from(
        ["arn:aws:iam::123456789012:role/a", "arn:aws-cn:iam::000000000000:role/a/b+=,.@-c"]
    ),
    "job_prefix": st.from_regex(r"[0-9a-zA-Z._-]{1,100}", fullmatch=True),
    "shards": st.just(1),  # more are for an output on S3
    "shard": st.just(0),
    "lanes": st.just([]),
    "engine": st.sampled_from(["local", "ray"]),
    "ray_address": words,
    "seal_seconds": st.floats(0.001, 86_400),
    "seal_megabytes": st.floats(0.001, 32),
    "source": st.sampled_from(["manifest", "sidecar", "object"]),
    "columns": st.lists(st.sampled_from(["agent", "customer"]), min_size=1),
    "key_pattern": st.sampled_from(["{agent}/", "*/{date:%Y-%m-%d}/{number:d}."]),
    "requester_pays": st.just(value=True),
    "beat_seconds": st.floats(0.001, 30),
    "extensions": st.dictionaries(
        st.from_regex("[a-z0-9]{1,9}", fullmatch=True),
        st.sampled_from(["ogg", "detect"]),
        min_size=1,
    ),
    "max_in_flight": st.integers(1, 100_000),
    "start_rate": rates,
    "get_rate": rates,
    "list_rate": rates,
    "delete_rate": rates,
    "workers": st.integers(1, 1_000),
    "collectors": st.integers(1, 1_000),
    "list_parallel": st.integers(1, 100),
    "max_poll_seconds": st.floats(0.001, 3_600),
    "job_timeout_hours": st.floats(0.001, 2_160),
    "answer_seconds": st.floats(0.001, 3_600),
    "retry_seconds": st.floats(0.001, 86_400),
    "limit": st.integers(1, 10**9),
    "until": st.sampled_from(["06:00", "6:00Z", "23:59+02:00", "00:00 Europe/Berlin"]),
    "max_hours": st.floats(0.001, 1_000),
    "max_cost": prices,
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
    "audit": st.floats(0.001, 1),
    "overlap": st.floats(0.001, 1),
    "project_size": st.integers(200, 100_000),
    "upload_audio": st.just(value=True),
    "segments_per_task": st.integers(20, 1000),
    "prefer": st.lists(st.sampled_from(["anna@example.com", "7"]), min_size=1),
    "speakers": pairs,
    "ground_truth": words,
    "mark_below": st.floats(0, 1),
    "layout": st.sampled_from(["list", "focus"]),
    "log_format": st.sampled_from(["text", "json"]),
    "metrics_port": st.integers(1, 65_535),
    "metrics_host": words,
    "metrics_file": words.map(lambda word: f"{word}.prom"),
    "heartbeat_file": words.map(lambda word: f"{word}.alive"),
}
names = st.from_regex(r"[0-9a-zA-Z._-]{1,200}", fullmatch=True)
by_language = st.dictionaries(st.sampled_from(["en-US", "fr-FR"]), names, min_size=1)
# What of [transcribe] goes together: in one language, in an identified one, with toxicity.
OF_ONE_LANGUAGE: dict[str, st.SearchStrategy[Any]] = {
    "language": st.sampled_from(["en-US", "de-CH", "cy-WL", "zh-HANT", "ast-ES"]),
    "vocabulary": names,
    "language_model": names,
    "max_speakers": st.integers(2, 30),
    "channel_identification": st.just(value=True),
    "max_alternatives": st.integers(2, 10),
    "media_format": st.sampled_from(["detect", "mp3", "m4a"]),
    "sample_rate": st.integers(8_000, 48_000),
    "tags": pairs,
}
OF_IDENTIFIED: dict[str, st.SearchStrategy[Any]] = {
    "vocabularies": by_language,
    "vocabulary_filters": by_language,
    "vocabulary_filter_method": st.sampled_from(["remove", "mask", "tag"]),
    "language_models": by_language,
    "fallback_language": st.just("en-US"),
}
WITH_RESULTS: dict[str, st.SearchStrategy[Any]] = {
    "results": VALUES.pop("results"),
    "subtitles": st.sampled_from([["vtt"], ["srt"], ["srt", "vtt"]]),
    "subtitle_start_index": st.just(1),
    "kms_key": st.just("arn:aws:kms:eu-west-1:123456789012:key/1"),
    "encryption_context": pairs,
}
ALONE: tuple[dict[str, st.SearchStrategy[Any]], ...] = (
    {"vocabulary_filter": names, "vocabulary_filter_method": st.sampled_from(["remove", "tag"])},
    {"redaction": st.just("redacted"), "pii_entity_types": st.just(["NAME", "SSN"])},
    {"toxicity": st.just(value=True), "redaction": st.just("redacted_and_unredacted")},
    {"language": st.just("auto"), "language_options": st.just(["en-US", "fr-FR"]), **OF_IDENTIFIED},
)
of_a_job = st.one_of(
    st.fixed_dictionaries({}, optional=OF_ONE_LANGUAGE),
    *(st.fixed_dictionaries(each) for each in (WITH_RESULTS, *ALONE)),
)
EVERY = {name for each in (VALUES, OF_ONE_LANGUAGE, WITH_RESULTS, *ALONE) for name in each}


def priced(values: dict[str, Any]) -> dict[str, Any]:
    """With max_cost whatever may be asked for has a price."""
    named = ("price_of_redaction", "price_of_language_model", "price_of_toxicity")
    return {name: values.get(name, 0.01) for name in named if "max_cost" in values}


chosen = st.builds(
    lambda one, other: one | other | priced(one),
    st.fixed_dictionaries({}, optional=VALUES),
    of_a_job,
).filter(lambda values: values.get("output", "tasks.jsonl") != values.get("state"))


def as_toml(values: dict[str, Any]) -> str:
    """A file that holds the values; JSON's strings, numbers and lists are TOML's too."""
    sections = {
        section: [f"{n} = {as_value(v)}" for n, v in values.items() if SETTINGS[n] == section]
        for section in SECTIONS
    }
    return "\n".join(line for s, lines in sections.items() if lines for line in (f"[{s}]", *lines))


def as_value(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {json.dumps(v)}" for name, v in value.items()) + "}"
    return json.dumps(value)


def as_environment(values: dict[str, Any]) -> dict[str, str]:
    """Variables that hold the values; the parts of lists and tables are separated by commas."""
    return {f"{ENVIRONMENT}{name.upper()}": as_text(value) for name, value in values.items()}


def as_text(value: Any) -> str:
    if isinstance(value, dict):
        return ",".join(f"{name}={text}" for name, text in value.items())
    return ",".join(value) if isinstance(value, list) else str(value)


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
    assert set(SETTINGS) == EVERY


@given(chosen)
def test_values_come_back_from_the_file(tmp_path, values):
    """Whatever valid value the file holds is what the run gets."""
    config = resolve({}, {}, written(tmp_path, as_toml(values)))

    assert values == {name: value_of(config, name) for name in values}


@given(chosen)
def test_values_come_back_from_the_environment(values):
    """Whatever valid value a variable holds is what the run gets."""
    config = resolve({}, as_environment(values))

    assert values == {name: value_of(config, name) for name in values}


@given(chosen)
def test_values_come_back_from_flags(values):
    """Whatever valid value a flag holds is what the run gets."""
    config = resolve(values, {})

    assert values == {name: value_of(config, name) for name in values}


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
        ("[qqqqqq]", "no section [qqqqqq]. `transcribe-pipeline config example` prints them all."),
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
    assert proposed in SETTINGS or "`transcribe-pipeline config example`" in said


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
        ("[limits]\nworkers = 1.5", "write a whole number, 1 to 1,000."),
        ("[limits]\nworkers = true", "write a whole number, 1 to 1,000."),
        ("[limits]\nstart_rate = '1'", "write a number, over 0, up to 10,000."),
        ("[budget]\nmax_cost = inf", "write a number, 0 or more."),
        ("[transcribe]\ntoxicity = 1", "write true or false."),
        ("[monitoring]\nmetrics_host = ''", "write a text, not empty."),
        ("[limits]\nstart_rate = nan", "start_rate = nan"),
        ("[output]\noutput = 3", "write a text."),
        ("[output]\noutput = ['a']", "write a text."),
        ("[input]\ninclude = [1]", "write a list, as ['a', 'b']."),
        ("[input]\ninclude = 1", "write a list, as ['a', 'b']."),
        ("[input.extensions]\nopus = 'og'", "{name = 'value'}, of mp3, mp4, wav,"),
        ("[transcribe]\nsubtitles = 'srt'", "write a list, as ['a', 'b'], of vtt, srt."),
        ("[limits]\nworkers = {}", "write a whole number, 1 to 1,000."),
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
        ("max_poll_seconds", (0, 3_601)),
        ("language", ("", "english", "EN-us", "en_US", "en-US\n")),
        ("vocabulary", ("a b", "é", "a" * 201, "a\n")),
        ("job_prefix", ("", "a b", "é", "a" * 101, "a\n")),
        ("results", ("bucket", "s3://", "https://b/a", "s3://b/a b", "s3://b/é", "s3://b/a\n")),
        ("output", ("", "-", ".")),
        ("endpoint_url", ("localhost:4566", "ftp://x", "s3://b")),
        ("events", ("queue", "arn:aws:sqs:a:123456789012:b", "https://x.y/123456789012/q.fifo")),
        ("data_access_role", ("role", "arn:aws:iam::1:role/a", "arn:aws:iam::123456789012:user/a")),
        ("job_timeout_hours", (0, -1, 2_161)),
        ("limit", (-1,)),
        ("until", ("noon", "24:00", "06:00 Nowhere")),
        ("max_hours", (-0.5,)),
        ("kind", ("", "words", "Segments", "TRANSCRIPT")),
        ("project", (-1,)),
        ("review_below", (-0.1, 1.1, float("nan"))),
        ("audit", (-0.1, 1.1, float("nan"))),
        ("overlap", (-0.1, 1.1, float("nan"))),
        ("segments_per_task", (-1, 1, 19)),
        ("log_format", ("", "JSON", "xml")),
        ("metrics_port", (-1, 65_536)),
        ("metrics_host", ("",)),
        ("metrics_file", ("metrics", "metrics.prom.txt")),
    ],
)
def test_a_value_out_of_bounds_is_refused(name, values):
    """A value that the service or the program can't work with is refused by name."""
    refused = [complaint({name: value}) for value in values]

    assert all(flag_of(name) in each or name in each for each in refused)


def test_an_address_begins_with_its_scheme_in_letters_of_any_case():
    """RFC 3986, 3.1: schemes ignore case, and so do botocore and whoever connects."""
    assert resolve({"endpoint_url": "HTTPS://host"}, {}).aws.endpoint_url == "HTTPS://host"


@pytest.mark.parametrize(
    ("flags", "environment", "said"),
    [
        ({"max_cost": "-1"}, {}, "--max-cost -1: write a number, 0 or more."),
        ({"limit": "ten"}, {}, "--limit ten: write a whole number, 0 or more."),
        ({"price_per_minute": "x"}, {}, "--price x: write a number, 0 to 1,000,000."),
        (
            {},
            {"LIMIT": "ten"},
            "limit = 'ten' in the environment: write a whole number, 0 or more.",
        ),
        ({}, {"TAGS": "team"}, "tags = 'team' in the environment: write name=value, with commas"),
        ({}, {"TASK": "segments"}, f"Did you mean {ENVIRONMENT}KIND?"),
        ({}, {"SUBTITLES": "foo"}, "write words with commas between, of vtt, srt."),
        ({}, {"EXTENSIONS": "mp3=xyz"}, "write name=value, with commas between, of mp3, mp4, wav,"),
        ({"shard": "x"}, {}, "--shard x: write a whole number, 0 or more."),
    ],
)
def test_a_complaint_is_in_the_words_of_where_the_value_was_given(flags, environment, said):
    """A flag is called as it was typed, what to write is plain English, and a flag's name helps."""
    assert said in complaint(
        flags, {ENVIRONMENT + name: each for name, each in environment.items()}
    )


@pytest.mark.parametrize("spelled", ["08", " 8", "+8", "8"])
def test_a_number_in_text_may_be_spelled_as_people_and_scripts_do(spelled):
    """`seq -w` and `%02d` write shards with a nought; .5 and 1. are numbers too."""
    flags = resolve({"limit": spelled, "max_cost": f"{spelled}.", "max_hours": ".5"}, {})
    variables = resolve({}, {f"{ENVIRONMENT}LIMIT": spelled, f"{ENVIRONMENT}MAX_HOURS": ".5"})

    assert (flags.budget.limit, flags.budget.max_cost, flags.budget.max_hours) == (8, 8.0, 0.5)
    assert (variables.budget.limit, variables.budget.max_hours) == (8, 0.5)


@pytest.mark.parametrize("spelled", ["nan", "inf", "1e400", "eight", "", "-1"])
def test_what_is_no_number_of_its_bounds_stays_refused(spelled):
    """A budget that is no number is none, however Python would read it."""
    assert "--max-cost" in complaint({"max_cost": spelled})
    assert "--limit" in complaint({"limit": spelled or "1.5"})


def test_numbers_of_the_command_line_are_read_as_those_of_the_environment():
    """A flag's text is the setting's number; a text that looks like one stays a text."""
    config = resolve({"limit": "12", "max_cost": "0.5", "vocabulary": "007"}, {})

    assert (config.budget.limit, config.budget.max_cost) == (12, 0.5)
    assert config.transcribe.vocabulary == "007"


RULED = """
[transcribe]
vocabulary = "calls"
redaction = "redacted"
[[rules]]
include = ["fr/**"]
"""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (RULED + "languag = 'fr-FR'", "there is no key languag in a rule. Did you mean language?"),
        (RULED + "workers = 3", "It holds for a whole run: set it in [limits]."),
        (RULED + "job_prefix = 'x'", "It holds for a whole run: set it in [transcribe]."),
        (RULED + "qqqqqq = 3", "It takes include and those of [transcribe]."),
        (RULED + "max_speakers = 31", "max_speakers = 31 in rule 1 of "),
        (RULED + "redaction = 'all'", "write redacted or redacted_and_unredacted."),
        (RULED + "vocabulary = ''\nlanguage = 'fr-FR'", "the service redacts en-US and es-US only"),
        (RULED + "redaction = ''\nlanguage = 'fr-FR'", "'calls' is of en-US, not of fr-FR"),
        ("[[rules]]\nlanguage = 'fr-FR'", "name the globs of its keys, as ['calls/fr/**']."),
        ("[[rules]]\ninclude = 'fr/**'", "name the globs of its keys"),
        ("[rules]\ninclude = ['fr/**']", "write each rule below a line [[rules]] of its own."),
    ],
)
def test_a_rule_is_checked_with_the_settings_it_stands_on(tmp_path, text, said):
    """A rule's own keys, and what it makes of the others, are refused before the first call."""
    message = complaint(path=written(tmp_path, text))

    assert said in message
    assert len(message.splitlines()) == 1


def test_what_is_wrong_without_a_rule_is_said_once(tmp_path):
    """A complaint about the settings as a whole is not repeated for every rule."""
    rule = "[[rules]]\ninclude = ['a/**']\n"

    said = complaint(path=written(tmp_path, f"[transcribe]\nmax_speakers = 1\n{rule}{rule}"))

    assert said == "max_speakers = 1: write 2 or more, or 0 for none."


def test_what_a_rule_asks_for_must_have_a_price_under_a_budget(tmp_path):
    """A cost that lacks what only some recordings ask for would be too low."""
    rule = "[[rules]]\ninclude = ['a/**']\nlanguage_model = 'support'\n"

    said = complaint({"max_cost": 5.0}, path=written(tmp_path, rule))

    assert "custom language model" in said


def test_a_rule_wins_over_a_flag_for_what_it_names(tmp_path):
    """Flags change the settings that rules stand on; what a rule names stays."""
    path = written(tmp_path, "[[rules]]\ninclude = ['fr/**']\nlanguage = 'fr-FR'\n")

    [rule] = resolve({"language": "de-DE", "max_speakers": 4}, {}, path).rules

    assert (rule.transcribe.language, rule.transcribe.max_speakers) == ("fr-FR", 4)


def test_output_and_state_are_two_files():
    """A state file that is the output itself would be destroyed by it."""
    said = complaint({"output": "a.jsonl", "state": str(Path("a.jsonl").absolute())})

    assert "same file" in said


def test_the_longest_prefixes_make_a_key_that_the_service_takes():
    """No accepted results and job_prefix make an OutputKey of more than 1,024 characters."""
    flags = {"results": "s3://b/" + "r" * 850, "job_prefix": "p" * 100}
    config = resolve(flags, {})
    name = job_name(job_name_prefix(config.transcribe.job_prefix, "b"), bytes(16), 9_999)

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
    plain = Transcribe().fingerprint

    assert plain == resolve({"workers": 99, "output": "x", "limit": 1}, {}).transcribe.fingerprint
    assert plain != resolve({"language": "de-DE"}, {}).transcribe.fingerprint
    assert plain != resolve({"vocabulary": "calls"}, {}).transcribe.fingerprint


def test_a_vocabulary_is_of_one_language():
    """With identified languages a vocabulary is refused, and the message says what to do."""
    said = complaint({"language": "auto", "vocabulary": "calls"})

    assert "does not go with language = 'auto'. Name the language" in said


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
    unsaid = default is False or default in ("", [], {}, NO_SHARD)
    assert (f"[default: {default}]" in said) != unsaid


def test_settings_can_not_be_changed():
    """The settings are a value: nobody alters them once a run has begun."""
    limits = Config().limits

    with pytest.raises(AttributeError):
        limits.workers = 5  # type: ignore[misc]


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ({"heartbeat_file": "t.jsonl"}, "heartbeat_file = 't.jsonl': that is output already."),
        ({"heartbeat_file": "t.jsonl.state"}, "that is state already."),
        ({"metrics_file": "./t.failures.jsonl"}, "that is the file of failures already."),
        (
            {"metrics_file": "a.prom", "heartbeat_file": "a.prom"},
            "heartbeat_file = 'a.prom': that is metrics_file already.",
        ),
        ({"metrics_file": "m.txt"}, "node_exporter reads no file whose name does not end in .prom"),
    ],
)
def test_what_others_watch_takes_no_file_of_the_run(given, what):
    """A heartbeat over the tasks would lose them all, and a misnamed file nobody would read."""
    assert what in complaint({"output": "t.jsonl"} | given)


@pytest.mark.parametrize("name", ["include", "exclude"])
def test_an_empty_glob_is_refused(name):
    """`--include "$UNSET"` takes no recording at all, which nobody means."""
    with pytest.raises(BadSettings, match=f"{name} has an empty glob"):
        resolve({name: ["*.mp3", " "]}, {})


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path):
    """Editors of Windows write one before the first line."""
    (tmp_path / "c.toml").write_bytes(b"\xef\xbb\xbf[limits]\nworkers = 7\n")

    assert resolve({}, {}, tmp_path / "c.toml").limits.workers == 7


@pytest.mark.parametrize("name", ["heartbeat_file", "state"])
@pytest.mark.parametrize("spelt", ["missing/../tasks.jsonl", "link.prom", "folder/tasks.jsonl"])
def test_files_are_told_apart_as_files(tmp_path, monkeypatch, name, spelt):
    """Two names of one file are refused, however they are spelt."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link.prom").symlink_to("tasks.jsonl")
    (tmp_path / "folder").symlink_to(tmp_path)

    with pytest.raises(BadSettings, match=r"same file|is output already"):
        resolve({name: spelt}, {})


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ({"lanes": ["a"]}, "several accounts share a source through S3 alone"),
        ({"lanes": ["a", " "], "output": "s3://b/t/"}, "lanes has an empty name"),
        ({"lanes": ["a", "b", "a"], "output": "s3://b/t/"}, "lanes has 'a' twice"),
        (
            {
                "lanes": ["a"],
                "output": "s3://b/t/",
                "events": "https://sqs.us-east-1.amazonaws.com/123456789012/q",
            },
            "lanes and events: a queue is told of the jobs of one account",
        ),
        (
            {
                "lanes": ["a", "b"],
                "output": "s3://b/t/",
                "data_access_role": "arn:aws:iam::123456789012:role/a",
            },
            "lanes and data_access_role: a role can be handed over in its own account alone",
        ),
    ],
)
def test_lanes_that_can_not_be_meant_are_refused(flags, told):
    """Each with what is wrong, before anything is started."""
    assert told in complaint(flags)
