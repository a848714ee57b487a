from __future__ import annotations

from kerasviz.network.identity import Identity


def test_a_file_is_identified_by_its_contents_only_for_a_record_of_a_model_in_memory() -> None:
    calls = []

    def contents() -> str:
        calls.append(1)
        return "c" * 64

    file = Identity("net", "net.keras", "keras", "f" * 64, contents=contents)
    assert file.like({}) is file and file.like({"sha256": "f" * 64}) is file and not calls
    record = {"name": "live", "format": "h5", "sha256": "c" * 64, "checksum": "contents"}
    same = file.like(record)
    assert (same.sha256, same.by_contents, len(calls)) == ("c" * 64, True, 1)
    assert (same.name, same.format, same.source) == ("live", "h5", "net.keras")
    other = file.like({**record, "sha256": "d" * 64})
    assert (other.name, other.format, other.sha256) == ("net", "keras", "c" * 64)
    assert same.like({"checksum": "contents"}) is same and same.like({}) is same


def test_records_of_files_are_as_they_were() -> None:
    file = Identity("net", "net.pb", "saved_model", "f" * 64)
    plain = {"name": "net", "format": "saved_model", "sha256": "f" * 64}
    assert file.to_json() == plain
    chosen = Identity("net", "net.pb", "saved_model", "f" * 64, "serve")
    assert chosen.to_json() == {**plain, "signature": "serve"}
    memory = Identity("net", "net.pb", "saved_model", "f" * 64, by_contents=True)
    assert memory.to_json() == {**plain, "checksum": "contents"}
