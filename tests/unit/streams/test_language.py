"""Languages by script, and by lingua where the script is Latin."""

import pytest

from streams.language import detect_lang, language_of

WRITTEN = [
    ("en", "Shares of the carmaker fell sharply after the recall was announced on Monday"),
    ("en", "Worst customer service ever, nobody answers and my refund never arrived"),
    ("en", "Central banks across Asia raised rates again, markets barely reacted"),
    ("en", "Huawei (华为) announces a new phone that will go on sale in October for 500 dollars"),
    ("de", "Der Kundendienst ist eine Katastrophe, niemand geht ans Telefon"),
    ("de", "Die Aktie des Autobauers fällt nach dem Rückruf deutlich"),
    ("de", "Ich bin mit dem neuen Handy sehr zufrieden und würde es wieder kaufen"),
    ("fr", "Le service client est catastrophique, personne ne répond au téléphone"),
    ("fr", "L'action du constructeur chute après l'annonce du rappel"),
    ("fr", "Je suis très content de ce téléphone, je le recommande à tous"),
    ("es", "El servicio al cliente es un desastre, nadie contesta el teléfono"),
    ("es", "Las acciones del fabricante caen tras el anuncio de la retirada"),
    ("es", "Me encanta este teléfono, lo compraría otra vez sin dudar"),
    ("pt", "O atendimento ao cliente é péssimo, ninguém responde às mensagens"),
    ("pt", "As ações da montadora caíram depois do anúncio do recall"),
    ("pt", "Estou muito feliz com o meu novo celular, recomendo a todos"),
    ("it", "Il servizio clienti è pessimo, nessuno risponde al telefono"),
    ("it", "Le azioni della casa automobilistica crollano dopo il richiamo"),
    ("it", "Sono molto contento del nuovo telefono e lo consiglio a tutti"),
    ("id", "Pelayanan pelanggan sangat buruk, tidak ada yang menjawab telepon saya"),
    ("id", "Harga saham turun tajam setelah pengumuman penarikan kendaraan"),
    ("vi", "Dịch vụ khách hàng quá tệ, không ai trả lời điện thoại"),
    ("vi", "Cổ phiếu của hãng xe giảm mạnh sau khi thông báo thu hồi"),
    ("tr", "Müşteri hizmetleri çok kötü, kimse telefona cevap vermiyor"),
    ("tr", "Şirketin hisseleri geri çağırma duyurusunun ardından sert düştü"),
    ("zh", "客服太差了，没有人接电话"),
    ("zh", "iPhone 15 发布会 live"),
    ("zh", "这家店の点心很好吃，下次还来，推荐给大家"),
    ("ja", "カスタマーサービスが最悪で、誰も電話に出ない"),
    ("ko", "고객 서비스가 너무 나빠요"),
    ("ru", "Служба поддержки ужасна, никто не отвечает"),
    ("ar", "خدمة العملاء سيئة جدا ولا أحد يرد"),
    ("en", "bonjour"),
    ("en", "123 !?"),
    ("en", ""),
]
MOST_WRONG = 0


def test_languages_are_told_apart() -> None:
    """Of sentences in fourteen languages nearly all get their language; short ones count as English."""
    wrong = [(lang, detect_lang(text), text) for lang, text in WRITTEN if detect_lang(text) != lang]
    assert len(wrong) <= MOST_WRONG, wrong


@pytest.mark.parametrize(
    ("declared", "text", "lang"),
    [
        ("fr", "Shares of the carmaker fell sharply after the recall", "fr"),
        ("zh-CN", "油价上涨", "zh-CN"),
        ("en", "油价上涨", "zh"),
        ("zh", "Shares of the carmaker fell sharply after the recall", "en"),
        ("en", "😀😀", "en"),
        ("xx", "油价上涨", "xx"),
        ("", "油价上涨", "zh"),
    ],
)
def test_a_declared_language_wins_unless_the_script_speaks_against_it(declared: str, text: str, lang: str) -> None:
    """The crawler knows best, except where not one letter is of the script of its language."""
    assert language_of(text, declared) == lang


def test_one_language_needs_no_detector() -> None:
    """Who only has English among the languages in Latin script never loads lingua."""
    assert detect_lang("Der Kundendienst ist eine Katastrophe, niemand geht ans Telefon", ["en"]) == "en"
