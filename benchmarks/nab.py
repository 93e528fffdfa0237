"""The Numenta Anomaly Benchmark's realTweets development files, through `opinion detect --series`.

    python -m benchmarks.nab [--data ../shared/data/nab]

One threshold for all files: the shipped one, 0.5. Beside it the published detectors on the same files, whose
threshold is the best for these files afterwards, or (last column) for all 58 files of the benchmark. The volume part
alone is judged: the files hold counts of mentions. Writes var/bench/nab.json.
"""

import argparse
import csv
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "nab"
GROUP = "realTweets"
PROFILES = ("standard", "reward_low_FP", "reward_low_FN")


def detect(data: Path, out: Path) -> None:
    """Every file of the group through the command line, into one CSV of detections."""
    with out.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "timestamp", "anomaly_score"])
        for path in sorted((data / "data" / GROUP).glob("*.csv")):
            command = [sys.executable, "-m", "opinion.cli", "detect", "--series", str(path)]
            found = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            rows = csv.DictReader(found.splitlines())
            writer.writerows([f"{GROUP}/{path.name}", row["timestamp"], row["anomaly_score"]] for row in rows)


def scores(data: Path, detections: Path) -> dict[str, float]:
    """What the benchmark's rules give at the shipped threshold, by profile."""
    command = [sys.executable, str(data / "score.py"), str(detections), "--group", GROUP, "--threshold", "0.5"]
    found = json.loads(subprocess.run([*command, "--json"], check=True, capture_output=True, text=True).stdout)
    return {profile: found[profile]["fixed"]["score"] for profile in PROFILES}


def table(ours: dict[str, float], published: Path) -> Iterator[str]:
    """Ours at its fixed threshold, the published ones at the best for these files and at the best for all files."""
    yield f"{'detector':34}{'standard':>10}{'low FP':>10}{'low FN':>10}{'standard, corpus threshold':>30}"
    yield f"{'opinion, threshold 0.5':34}" + "".join(f"{ours[profile]:10.1f}" for profile in PROFILES)
    with published.open() as lines:
        rows = sorted(csv.DictReader(lines), key=lambda row: -float(row["dev_tweets_standard_own_thr"]))
    for row in rows:
        own = (float(row[f"dev_tweets_{profile}_own_thr"]) for profile in ("standard", "low_FP", "low_FN"))
        corpus = float(row["dev_tweets_standard_corpus_thr"])
        yield f"{row['detector']:34}" + "".join(f"{score:10.1f}" for score in own) + f"{corpus:30.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    data: Path = parser.parse_args().data
    if not data.is_dir():
        sys.exit(f"no NAB files at {data}; name them with --data")
    with tempfile.TemporaryDirectory() as folder:
        detections = Path(folder) / "detections.csv"
        detect(data, detections)
        ours = scores(data, detections)
    print("\n".join(table(ours, data / "published_scores.csv")))
    out = Path("var/bench/nab.json")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(ours, indent=1))


if __name__ == "__main__":
    main()
