"""Tables as text: what is bold, what stands in which cell, and what is said of volumes that are missing."""

from dataclasses import replace
from pathlib import Path

import pytest

from SuperResolution3DLib.errors import InputError
from Training.evaluation.results import (
    EvaluationRecord,
    MethodResult,
    VolumeResult,
    read_results,
    write_method_result,
    write_record,
    write_result,
)
from Training.reporting.tables import LEGEND, Table, counted, make_tables, markdown, volume_notes, write_tables

FID = "paper/FID 2048"


def a_result(method: str, subject: str, ssim: float, psnr: float, lpips: float) -> VolumeResult:
    metrics = {"paper/ssim": ssim, "paper/psnr": psnr, "paper/lpips": lpips, "residual_percent": 0.5}
    return VolumeResult("OASIS", subject, f"{subject}.nii.gz", method, metrics, seconds=1.5, notes=("cropped",))


@pytest.fixture
def two_methods() -> list[VolumeResult]:
    return [
        a_result("trilinear", "a", 0.790, 26.0, 0.250),
        a_result("trilinear", "b", 0.780, 27.0, 0.252),
        a_result("rrdb_gan", "a", 0.850, 26.4, 0.250),
        a_result("rrdb_gan", "b", 0.860, 26.2, 0.252),
    ]


def a_record(*methods: str) -> EvaluationRecord:
    return EvaluationRecord(
        "OASIS", "test, 2 volumes", ("Range = HR",), dict.fromkeys(methods, "a method"), {}, "python", {}
    )


def test_the_best_mean_is_bold_in_the_direction_of_the_metric(two_methods: list[VolumeResult]) -> None:
    sets = [
        MethodResult("OASIS", name, {FID: value, f"{FID}: slices": 9})
        for name, value in (("trilinear", 6.89), ("rrdb_gan", 0.18))
    ]
    table = make_tables(two_methods, sets, "trilinear")[0]
    assert table.title == "OASIS, protocol paper, 2 volumes of 2 subjects"
    assert table.headings == ("Method", "SSIM ↑", "PSNR (dB) ↑", "LPIPS ↓", "FID 2048 ↓")
    assert table.rows == (
        ("trilinear", "0.785 ± 0.007", "**26.50** ± 0.71", "**0.251** ± 0.001", "6.890"),
        ("rrdb_gan", "**0.855** ± 0.007", "26.30 ± 0.14", "**0.251** ± 0.001", "**0.180**"),
    )


def test_differences_to_the_reference_come_with_the_reason_for_a_missing_p_value(
    two_methods: list[VolumeResult],
) -> None:
    table = make_tables(two_methods, [], "trilinear")[1]
    assert table.title.endswith("difference to trilinear")
    assert table.rows == (("rrdb_gan", "+0.070 (n < 6)", "-0.20 (n < 6)", "+0.000 (n < 6)"),)


def test_a_method_that_lacks_volumes_says_so(two_methods: list[VolumeResult]) -> None:
    table = make_tables(two_methods[:3], [], "trilinear")[0]
    assert table.rows[1][1] == "**0.850** (1 of 2 volumes)"


def test_each_data_set_has_tables_of_its_own(two_methods: list[VolumeResult]) -> None:
    other = VolumeResult("HCP1200", "z", "z.nii.gz", "trilinear", {"foreground/psnr": 26.94})
    titles = [table.title for table in make_tables([*two_methods, other], [], "rrdb_gan")]
    assert [title for title in titles if title.startswith("HCP1200")] == [
        "HCP1200, protocol foreground, 1 volume of 1 subject"
    ]


def test_latex_escapes_names_and_keeps_bold_and_signs() -> None:
    table = Table("a_b", ("Method", "SSIM 7^3 ↑", "FSC (%) ↓"), (("rrdb_gan", "**0.9** ± 0.1", "+1 (n < 6)"),))
    assert table.latex().splitlines() == [
        r"\begin{table}[htbp]",
        r"\centering",
        r"\caption{a\_b}",
        r"\begin{tabular}{lrr}",
        r"\toprule",
        r"Method & SSIM $7^3$ $\uparrow$ & FSC (\%) $\downarrow$ \\",
        r"\midrule",
        r"rrdb\_gan & \textbf{0.9} $\pm$ 0.1 & +1 (n $<$ 6) \\",
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]


def test_no_character_of_a_name_breaks_a_table() -> None:
    table = Table("a\nb", ("Method", "SSIM"), (("a|b\n\\c{d}~^>", "**0.9**"),))
    assert table.markdown().splitlines()[-1] == r"| a\|b \\c{d}~^> | **0.9** |"
    lines = table.latex().splitlines()
    assert lines[2] == r"\caption{a b}"
    assert lines[7] == (r"a$|$b \textbackslash{}c\{d\}\textasciitilde{}\textasciicircum{}$>$ & \textbf{0.9} \\")


def test_the_number_of_slices_stands_with_the_tables(tmp_path: Path, two_methods: list[VolumeResult]) -> None:
    for result in two_methods:
        write_result(tmp_path, result)
    write_method_result(tmp_path, MethodResult("OASIS", "trilinear", {FID: 6.89}, ("FID: 9 slices", "KID: 9 slices")))
    write_method_result(tmp_path, MethodResult("OASIS", "rrdb_gan", {FID: 0.18}, ("FID: 9 slices", "KID: 7 slices")))
    write_record(tmp_path, a_record("trilinear", "rrdb_gan"))
    write_tables(tmp_path)
    text = (tmp_path / "table.md").read_text()
    assert "- Range = HR\n- FID: 9 slices\n" in text
    assert "- rrdb_gan: KID: 7 slices" in text and "- trilinear: KID: 9 slices" in text
    small_print = (tmp_path / "table.tex").read_text().partition(r"{\footnotesize")[2].splitlines()
    for line in ("OASIS: test, 2 volumes", r"rrdb\_gan: a method", "Range = HR", "FID: 9 slices"):
        assert rf"{line}\par" in small_print
    assert any(line.startswith(LEGEND.split("±")[0]) for line in small_print)


def test_a_note_of_volumes_is_printed_once(two_methods: list[VolumeResult]) -> None:
    assert volume_notes([two_methods[0]]) == ["a.nii.gz: cropped"]
    many = [
        replace(two_methods[number % 2], method=method, file=f"{number}.nii.gz", notes=("cropped", f"of {method}"))
        for method in ("trilinear", "rrdb_gan")
        for number in range(5)
    ]
    assert volume_notes(many) == [
        "0.nii.gz, 1.nii.gz, 2.nii.gz and 2 volumes more: cropped",
        "0.nii.gz, 1.nii.gz, 2.nii.gz and 2 volumes more, trilinear: of trilinear",
        "0.nii.gz, 1.nii.gz, 2.nii.gz and 2 volumes more, rrdb_gan: of rrdb_gan",
    ]


def test_markdown_carries_conventions_and_methods(two_methods: list[VolumeResult]) -> None:
    text = markdown(a_record("trilinear", "rrdb_gan"), make_tables(two_methods, [], "trilinear"))
    assert "| Method | SSIM ↑ | PSNR (dB) ↑ | LPIPS ↓ |\n| --- | ---: | ---: | ---: |\n| trilinear |" in text
    assert "- Range = HR" in text
    assert "- rrdb_gan: a method" in text


def test_the_files_follow_the_order_and_the_choice_of_the_record(
    tmp_path: Path, two_methods: list[VolumeResult]
) -> None:
    for result in two_methods:
        write_result(tmp_path, result)
    write_result(tmp_path, a_result("left out", "a", 1, 99, 0))
    write_method_result(tmp_path, MethodResult("OASIS", "trilinear", {FID: 6.89}))
    write_record(tmp_path, a_record("trilinear", "rrdb_gan"))
    tables = write_tables(tmp_path)
    assert [row[0] for row in tables[0].rows] == ["trilinear", "rrdb_gan"]
    assert tables[1].title.endswith("difference to rrdb_gan")  # the last one
    lines = (tmp_path / "results.csv").read_text().splitlines()
    assert lines[0] == "dataset,subject,file,method,paper/ssim,paper/psnr,paper/lpips,residual_percent,seconds,notes"
    assert lines[1] == "OASIS,a,a.nii.gz,trilinear,0.79,26.0,0.25,0.5,1.5,cropped"
    assert len(lines) == 5
    assert "left out" not in (tmp_path / "table.md").read_text()
    assert r"\toprule" in (tmp_path / "table.tex").read_text()


def test_results_are_read_as_they_were_written(tmp_path: Path, two_methods: list[VolumeResult]) -> None:
    for result in two_methods:
        write_result(tmp_path, result)
    by_name = sorted(two_methods, key=lambda result: (result.method, result.file))
    assert read_results(tmp_path) == by_name


@pytest.mark.parametrize("content", ["{", "[]", '{"dataset": "OASIS"}'])
def test_a_damaged_result_is_named(tmp_path: Path, two_methods: list[VolumeResult], content: str) -> None:
    write_result(tmp_path, two_methods[0])
    (path,) = (tmp_path / "results").glob("*/*.json")
    path.write_text(content)
    with pytest.raises(InputError, match=f"{path.name}.*delete it to compute it again"):
        read_results(tmp_path)


def test_a_folder_without_an_evaluation_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"evaluation\.json cannot be read"):
        write_tables(tmp_path)


def test_one_volume_is_not_called_volumes() -> None:
    assert [counted(number, "volume") for number in (1, 2)] == ["1 volume", "2 volumes"]
