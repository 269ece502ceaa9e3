"""One word for one thing: words that the lab does not use, in its pages, its messages and the Korean of README.

Beside each pattern stands what the lab says instead. A new word is agreed on here before it is used.
"""

import re
from pathlib import Path

import pytest
from babel.messages import pofile

ROOT = Path(__file__).parents[1]
INSTEAD = {
    "ko": {
        r"은\(는\)|을\(를\)|이\(가\)|와\(과\)|\(으\)로": "{은}, {을}, {이}, {과}, {으로}: sgd_tf/ui/korean.py",
        r"(?<![가-힣])시험": "테스트 (세트, 손실, 정확도), 확인하다, 해 보다",
        r"(?<!대응 )표본": "샘플; 대응 표본 t 검정 is the name of a test",
        r"(?<!미니)(?<!마이크로)(?<!임계 )배치 크기": "미니배치 크기 k, k; 임계 배치 크기 is a term",
        r"파라미터 값": "가중치",
        r"(?<!다른 미니배치에 )알맞은 학습률|찾은 값’|찾은 값'": "k마다 찾은 학습률, k마다 따로",
        r"반올림 오차까지": "반올림 오차를 빼면 같다",
        r"가장 가파른": "곡률이 가장 큰 방향",
        r"완전 비례": "이상적인 선",
        r"그래픽 프로세서": "GPU",
        r"견주|견준": "비교하다",
        r"방문": "뽑힌 횟수",
        r"시드들의|시드 평균": "시드별 결과의 중앙값, 시드별 결과의 평균",
        r"나란히": "한꺼번에",
        r"이름표": "정답",
        r"스윕": "이 실험",
        r"끝내짐|죽음|죽임": "강제 종료됨, 감시자가 종료함",
        r"해롭|요란": "오히려 나빠진다; 잡음이 심하다",
        r"\d번 (에포크|이터레이션)|(?<!이어지는 )(열|세|두) 에포크": "에포크 2 (which), 3에포크 (how many)",
        r"까요[?？]": "할까?",
        r"\d %": "95%",
        r"~": "4–32",
    },
    "en": {
        r"\btold\b|\btells\b": "set, show, report",
        r"\balone\b": "only",
        r"\bwhose\b|\bwhom\b": "of the …",
        r"\bas a multiple of\b": "A ÷ B",
        r"\banother one\b|\bof which\b": "different; a sentence of its own",
        r"\bcan not\b|\bfor ever\b": "cannot, forever",
        r"\bside by side\b": "in parallel",
        r"\bgraphics processor": "GPU",
        r"\bto the last digit\b": "up to rounding",
        r"\bhyper-parameter": "hyperparameter",
        r"\bmean of the seeds\b": "mean over seeds",
    },
}


def texts(code):
    """Every text of the lab in a language, with the place where it stands."""
    for file in sorted((ROOT / "pages").rglob(f"*.{code}.md")):
        for line in file.read_text(encoding="utf-8").splitlines():
            yield file.name, line
    with (ROOT / "sgd_tf/ui/locale/ko.po").open("rb") as file:
        for message in pofile.read_po(file, locale="ko"):
            if message.id:
                yield str(message.id), str(message.id if code == "en" else message.string)
    if code == "ko":
        for line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines():
            if re.search("[가-힣]", line):
                yield "README.md", line


@pytest.mark.parametrize(
    ("code", "pattern"), [(code, pattern) for code, patterns in INSTEAD.items() for pattern in patterns]
)
def test_a_word_that_the_lab_does_not_use_stands_nowhere(code, pattern):
    found = [(place, text) for place, text in texts(code) if re.search(pattern, text)]
    assert found == [], f"say instead: {INSTEAD[code][pattern]}"
