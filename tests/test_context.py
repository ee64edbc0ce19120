"""What is said about words: denied, normal, uncertain, of a relative."""

from __future__ import annotations

import pytest

from dxtrace.findings.context import read_context
from dxtrace.findings.reader import read_sentences
from dxtrace.findings.tokens import tokenise
from dxtrace.notes.case import Case
from dxtrace.notes.sentences import sentences


@pytest.mark.parametrize(
    ("sentence", "word", "expected"),
    [
        ("He denies fever, cough, or weight loss.", "cough", "denied"),
        ("He denies fever, cough with sputum, or haemoptysis.", "haemoptysis", "denied"),
        ("No fever, presents with cough, or so he says.", "cough", None),
        ("No fever, chills or cough.", "cough", "denied"),
        ("Without aura.", "aura", "denied"),
        ("There is no evidence of hemorrhage on CT.", "hemorrhage", "denied"),
        ("A 1-week history of cough.", "cough", None),
        ("Fever for the past 6 months.", "fever", None),
        ("Findings consistent with caseating granulomas.", "granulomas", None),
        ("He was brought in by his wife with chest pain.", "pain", None),
        ("Her mother states that she has fever.", "fever", None),
        ("Previously healthy man with cough.", "cough", None),
        ("Power is 0/5 in the left arm.", "power", None),
        ("Non-contrast CT shows a hemorrhage.", "hemorrhage", None),
        ("His mother had atrial fibrillation.", "fibrillation", "family"),
        ("Her 11-year-old son has asthma.", "old", "family"),
        ("His elder brother died suddenly.", "elder", "family"),
        ("A film taken on entry had been normal.", "film", "overtaken"),
        ("A colonoscopy two years ago was normal.", "colonoscopy", "overtaken"),
        ("A colonoscopy two years ago was normal, CT today shows a mass.", "mass", None),
        ("He smoked until two years ago.", "smoked", None),
        ("PCR found no influenza, SARS-CoV-2 or Mycoplasma.", "mycoplasma", "denied"),
        ("No fever, WBC 12 and cough.", "cough", None),
        ("RSV was found in four others.", "rsv", "other"),
        ("He does not smoke, exercises daily and is well.", "exercises", None),
        ("He takes no medicines, drinks two glasses of wine a day.", "wine", None),
        ("Her mother is also concerned that she has no hair.", "hair", "denied"),
        ("Her mother is worried that she has cramps.", "cramps", None),
        ("She was with her husband when she suddenly felt pain.", "pain", None),
        ("He came for evaluation of nocturnal cough.", "cough", None),
        ("Evaluation of possible pneumonia.", "pneumonia", "uncertain"),
        ("Family history of diabetes in his father.", "diabetes", "family"),
        ("Father died of a myocardial infarction at 52.", "infarction", "family"),
        ("Pneumonia is suspected.", "pneumonia", "uncertain"),
        ("Possible pneumonia.", "pneumonia", "uncertain"),
        ("CT to rule out pulmonary embolism.", "embolism", "uncertain"),
        ("History of chest pain for two days.", "pain", None),
        ("Edema was not present.", "edema", "denied"),
        ("Troponin was negative.", "troponin", "denied"),
        ("Lungs are clear; no wheezes.", "wheezes", "denied"),
        ("TSH and free T4 were normal.", "tsh", "normal"),
        ("Normal duodenal mucosa.", "mucosa", "normal"),
        ("Denies cough but reports fever.", "fever", None),
        ("Denies cough but reports fever.", "cough", "denied"),
        ("No cough, and he has a fever of 39.", "fever", None),
        ("The patient does not have orthopnea.", "orthopnea", "denied"),
        ("Fever has resolved.", "fever", "denied"),
        ("Vomit appears grossly bloody.", "bloody", None),
        ("Pain is not relieved by antacids.", "pain", None),
        ("She cannot lie flat because of dyspnea.", "dyspnea", None),
        ("Seizure was witnessed by her husband.", "seizure", None),
        ("His roommate has tuberculosis.", "tuberculosis", "other"),
        ("A neighbour of his was found to have tuberculosis.", "tuberculosis", "other"),
        ("A friend of the patient has tuberculosis.", "tuberculosis", "other"),
        ("A father of two has tuberculosis.", "tuberculosis", None),
        ("Two of her siblings have migraine.", "migraine", "family"),
        ("Father of two presents with cough.", "cough", None),
        ("If you develop fever, return to the emergency department.", "fever", "hyp"),
        ("Cardiac silhouette is normal; bibasilar infiltrates.", "infiltrates", None),
        ("Blood cultures negative.", "cultures", "denied"),
        ("Neck supple, no JVD.", "jvd", "denied"),
        ("JVD absent.", "jvd", "denied"),
        ("Not only cough but also hemoptysis.", "cough", None),
        ("Rule out MI.", "mi", "uncertain"),
        ("His roommate was admitted with dyspnea, orthopnea and edema.", "orthopnea", "other"),
        ("Lives with his wife, has orthopnea.", "orthopnea", None),
        ("A student without symptoms has a positive test.", "positive", None),
        ("She can't lie flat because of dyspnea.", "flat", None),
        ("He has had hypertension for 10 years.", "hypertension", None),
        ("She had asthma as a child.", "asthma", None),
        ("Neither fever nor cough was reported.", "cough", "denied"),
        ("Patient lacks insight.", "insight", "denied"),
        ("CT head unremarkable.", "head", "normal"),
        ("Echo: normal ejection fraction, dilated left atrium.", "dilated", None),
        ("Abdomen soft, non-tender; spleen palpable.", "spleen", None),
        ("Hemoptysis: N", "hemoptysis", "denied"),
        ("[ ] Hemoptysis [x] Cough", "hemoptysis", "denied"),
        ("[ ] Hemoptysis [x] Cough", "cough", None),
        ("didnt have fever", "fever", "denied"),
        ("Fever (-), cough (+)", "fever", "denied"),
        ("Fever (-), cough (+)", "cough", None),
        ("No known drug allergies, takes metformin.", "metformin", None),
        ("No chest pain at rest, but pain on exertion.", "exertion", None),
        ("Urine ketones neg, glucose pos.", "glucose", None),
        ("Urine ketones neg, glucose pos.", "ketones", "denied"),
        ("afebrile, tachycardic", "tachycardic", None),
        ("without fever or chills, he developed cough", "cough", None),
        ("denied any headache; vision blurred", "vision", None),
        ("He stopped smoking 10 years ago.", "smoking", None),
        ("No prior episodes of syncope", "syncope", "denied"),
        ("EEG did not show epileptiform discharges.", "discharges", "denied"),
        ("MRI was negative for acute infarct.", "infarct", "denied"),
        ("D-dimer elevated, CT negative for PE.", "pe", "denied"),
        ("rash absent", "rash", "denied"),
        ("No family history of heart disease.", "disease", "denied"),
        ("Pulmonary embolism cannot be excluded.", "embolism", "uncertain"),
        ("unlikely to be pneumonia", "pneumonia", None),
        ("She is worried about having a stroke.", "stroke", "uncertain"),
        ("screening for tuberculosis", "tuberculosis", "uncertain"),
        (
            "There was no loss of consciousness, tongue biting or incontinence.",
            "incontinence",
            "denied",
        ),
        ("He reports no fever but endorses night sweats.", "sweats", None),
        ("He says his brother had the same cough last week.", "cough", "family"),
        ("Fever, but no cough, is present.", "fever", None),
        ("Sputum culture grew Klebsiella.", "klebsiella", None),
        ("Wife reports he snores and has apneas.", "apneas", None),
        ("His daughter noticed that he was confused.", "confused", None),
        ("Chest x-ray showed no infiltrate.", "infiltrate", "denied"),
    ],
)
def test_scopes_reach_what_they_qualify(sentence: str, word: str, expected: str | None) -> None:
    tokens = tokenise(sentence)
    context = read_context(sentence, tokens)
    place = [index for index, token in enumerate(tokens) if token.text == word][-1]
    # The past is told apart from the present, but it is no reason not to believe a word.
    properties = context.properties(place) - {"past"}
    if expected == "hyp":
        assert context.hypothetical
    elif expected is None:
        assert not properties
    else:
        assert expected in properties


@pytest.mark.parametrize(
    "sentence",
    [
        "FNA is performed.",
        "Troponin pending.",
        "Blood cultures were drawn.",
        "Biopsy: inconclusive",
        "LVEF ___ %.",
        "Family History: None",
    ],
)
def test_a_test_without_its_result_is_known_as_such(sentence: str) -> None:
    assert read_context(sentence, tokenise(sentence)).no_result


@pytest.mark.parametrize(
    "sentence",
    [
        "An ECG was performed and showed ST elevation.",
        "Biopsy confirmed granulomas.",
        "CT: mass in the left lung.",
    ],
)
def test_a_result_is_not_taken_for_none(sentence: str) -> None:
    assert not read_context(sentence, tokenise(sentence)).no_result


def test_a_character_that_takes_no_room_is_no_word() -> None:
    assert [token.text for token in tokenise("3) ((\u200b3)\u00ad")] == [
        "3",
        ")",
        "(",
        "(",
        "3",
        ")",
    ]


@pytest.mark.parametrize(
    ("note", "word", "denied"),
    [
        ("Denies:\n- tremor\n- cough\n", "cough", True),
        ("Denies any of the following:\ntremor\ncough\n", "cough", True),
        ("Denies any of the following\ntremor\ncough\n", "cough", True),
        ("ROS: negative for\ntremor\ncough\nfever\n", "fever", True),
        ("Neuro: no tremor\nScalp tender\n", "scalp", False),
        ("VS - T 38.8\n", "38.8", False),
    ],
)
def test_a_denied_line_denies_the_next_only_if_it_opens_a_list(
    note: str, word: str, denied: bool
) -> None:
    for sentence in read_sentences(Case.from_text(note)):
        for index, token in enumerate(sentence.tokens):
            if token.text == word:
                assert bool(sentence.context.properties(index)) == denied


FOUR = ("Hemoptysis", "Night sweats", "Weight loss", "Fever")


def lines(row: str) -> str:
    return "".join(row.format(symptom) + "\n" for symptom in FOUR)


@pytest.mark.parametrize(
    "text",
    [
        "Pertinent negatives: {}.",
        "Pertinent negatives include {}.",
        "None of the following: {}.",
        "Hardly any {}.",
        "(-) {}.",
        "-ve {}.",
        "He denies&nbsp;{} &amp; chills.",
    ],
)
def test_a_list_behind_a_denial_is_denied(text: str) -> None:
    assert not affirmed(text.format(", ".join(FOUR).lower()))


@pytest.mark.parametrize(
    "end",
    ["absent", "denied", "(all negative)", ": none", "have not occurred", "did not occur", "-ve"],
)
def test_a_series_is_denied_behind_its_last_item(end: str) -> None:
    assert not affirmed(f"Hemoptysis, night sweats, weight loss, and fever {end}.")


@pytest.mark.parametrize(
    "text",
    [
        "Denies hemoptysis; night sweats; weight loss; fever.",
        "ROS (-): hemoptysis, night sweats, weight loss, fever.",
        "cough (denies hemoptysis, night sweats, weight loss, fever) for 3 days.",
        "- Negative\n  - Hemoptysis\n  - Weight loss\n  - Fever",
        "Symptoms not present\nHemoptysis\nFever",
        "Symptom | Y | N\nHemoptysis |  | X\nFever |  | X",
    ],
)
def test_a_denied_list_may_be_laid_out_otherwise(text: str) -> None:
    assert not affirmed(text) & SYMPTOMS


def test_a_series_ends_before_a_verb() -> None:
    assert "cough" in affirmed("He has had cough, and fever absent.")


@pytest.mark.parametrize(
    "row",
    [
        "{} (no)", "{} (N)", "{} (neg)", "{} - no", "{} — no", "{},no", "{} -", "N: {}", "[N] {}", "No - {}",
        "[_] {}", "{} [ ]", "{}: Y[ ] N[x]", "◻ {}", "❌ {}", "{} Y/N: N", "{}: Y / [N]", "{}: Y / **N**",
        "{}: -", "{} no", "{}:", "{}: ____", "{} (Y/N): N",
        "{} [Y/N] N",
        "{} .... [No]",
        "~~{}~~",
        "{} -> no",
        "{}::no",
        "{}: never",
        "{} 🚫",
        "{}: unknown", "{}: not assessed", "Q: Any {}?\nA: No", "{}? No.",
    ],
)  # fmt: skip
def test_a_row_of_a_form_that_is_not_affirmed_states_nothing(row: str) -> None:
    assert not affirmed(lines(row))


@pytest.mark.parametrize(
    ("row", "word"),
    [
        ("Fever (yes)", "fever"),
        ("Fever [x]", "fever"),
        ("Fever: Y[x] N[ ]", "fever"),
        ("Fever: [Y] / N", "fever"),
        ("Any fever? Yes", "fever"),
        ("Urine glucose: positive (negative)", "glucose"),
        ("- aspirin 81 + clopidogrel 75", "aspirin"),
        ("- biopsy - inflammatory cells ++", "inflammatory"),
        ("+ poor diet - butter", "butter"),
        ("WBC 11.9, stress?", "wbc"),
        ("N/V and fever for 2 days", "fever"),
    ],
)
def test_a_field_that_is_affirmed_stays_so(row: str, word: str) -> None:
    assert word in affirmed(row)


@pytest.mark.parametrize(
    "opener", ["He denies:", "**Denies:**", "## Pertinent negatives", "None of the below:"]
)
@pytest.mark.parametrize(
    "mark", ["- {}", "* {}", "1. {}", "2) {}", "iv. {}", "- any {} at all that was felt or seen"]
)
def test_every_item_of_a_denied_list_is_denied(opener: str, mark: str) -> None:
    assert not affirmed(f"{opener}\n{lines(mark)}")
    assert "cough" in affirmed(f"{opener}\n{lines(mark)}\nHe has a cough.")


def test_a_list_with_plus_and_minus_is_signed() -> None:
    found = affirmed("+ cough\n" + lines("- {}"))
    assert "cough" in found and "fever" not in found
    assert "fever" in affirmed("He has:\n" + lines("- {}"))
    assert affirmed("+cough -hemoptysis -fever") == {"+", "cough"}
    assert affirmed("cough (+), hemoptysis (-), fever (-)") >= {"cough"}


def test_a_denial_goes_on_over_wrapped_lines() -> None:
    assert not affirmed("He denies any hemoptysis or night\nsweats or weight\nloss or fever.")
    assert not affirmed("He denies hemoptysis,\nnight sweats,\nweight loss\nand fever.")


def affirmed(note: str) -> set[str]:
    """Return the words of a note, but for cues and function words, of which nothing takes anything back."""
    cues = {"he", "denies", "q", "a", "any", "s", "weight", "night"}
    found = set()
    for sentence in read_sentences(Case.from_text(note)):
        if not sentence.quotable:
            continue
        for index, token in enumerate(sentence.tokens):
            said = sentence.context.properties(index)
            if (token.text.isalpha() or token.text == "+") and not said and token.text not in cues:
                found.add(token.text)
    return found & {
        *SYMPTOMS,
        "+",
        "cough",
        "chills",
        "glucose",
        "aspirin",
        "inflammatory",
        "butter",
        "wbc",
    }


SYMPTOMS = {"hemoptysis", "sweats", "loss", "fever"}


@pytest.mark.parametrize(
    ("note", "word", "expected"),
    [
        ("My mother is 80. My mother has dyspnea at night.", "dyspnea", None),
        ("my 70-year-old father can barely walk. he has dyspnea.", "dyspnea", None),
        ("She is brought by her son. He noticed his mother's dyspnea.", "dyspnea", None),
        ("She is brought by her mother. Her mother has asthma.", "asthma", "family"),
        ("I have had cough for a week. My mother has asthma.", "asthma", "family"),
        ("My mother says that I snore. She has asthma.", "snore", None),
        ("Her mother's video shows jerks of both arms.", "jerks", None),
        ("FH: sister Graves. PMH nil. T 38.1, tremor.", "tremor", None),
        ("FH: sister Graves. T 38.1, tremor.", "tremor", None),
        ("FH: sister Graves. Tremor.", "tremor", "family"),
    ],
)
def test_a_relative_may_be_the_patient(note: str, word: str, expected: str | None) -> None:
    for sentence in read_sentences(Case.from_text(note)):
        for index, token in enumerate(sentence.tokens):
            if token.text == word:
                said = sentence.context.properties(index)
                assert ("family" in said) == (expected == "family")


def test_a_note_in_small_letters_has_sentences() -> None:
    note = "pain in my arm since monday. doctor gave me pills. i feel sick"
    assert len(list(read_sentences(Case.from_text(note)))) == 3


@pytest.mark.parametrize(
    ("note", "first"),
    [
        ("Hemiplegia, gaze to L. BP 214/118.", "Hemiplegia, gaze to L."),
        ("Oxygen at 2 L. 4 days of worse breath.", "Oxygen at 2 L."),
        ("TRAb 14 IU/L (<1.75). hCG negative.", "TRAb 14 IU/L (<1.75)."),
        ("Seen by Dr. L. Brown on the ward. He left.", "Seen by Dr. L. Brown on the ward."),
    ],
)
def test_a_litre_and_a_side_are_no_initials(note: str, first: str) -> None:
    start, end = next(sentences(note))
    assert note[start:end].strip() == first
