"""What words are made of: syllables, scripts, emoji; and the months and days."""

from bot.demo_model.training.grammar import word_list

ONSETS = word_list("""b|bl|br|c|ch|cl|cr|d|dr|f|fl|fr|g|gl|gr|h|j|k|kl|kn|l|m|n|p|ph|pl|pr|qu|r|rh|s|sc
sh|sk|sl|sm|sn|sp|st|str|sw|t|th|tr|v|w|wh|x|y|z""")
VOWELS = word_list("a|e|i|o|u|ae|ai|au|ea|ee|ei|ia|ie|io|oa|oo|ou|ua|y")
CODAS = word_list("|||b|ck|d|f|g|l|ll|m|n|nd|ng|nt|p|ph|r|rd|rk|rn|rs|s|sh|sk|ss|st|t|th|x|z")
ENDINGS = word_list("""a|ia|ie|y|o|us|is|er|or|el|en|an|ine|ette|elle|ette|ard|ius|ora|ina|ana|ika|iko|son|ton
ford|ville|berg|burg|field""")
SCRIPTS = [
    "абвгдежзиклмнопрстуфхцчшщыьэюя",
    "αβγδεζηθικλμνξοπρστυφχψω",
    "אבגדהוזחטיכלמנסעפצקרשת",
    "ابتثجحخدذرزسشصضطعغفقكلمنهوي",
    "あいうえおかきくけこさしすせそたちつてとなにぬねのはひふへほまみむめもらりるれろ",
    "アイウエオカキクケコサシスセソタチツテトナニヌネノ",
    "日月山川田中村木林森水火金土人大小上下東西南北春夏秋冬花雪星海空風雲雨龍虎鳥",
    "가나다라마바사아자차카타파하김이박최정강윤장임한",
    "अआइईउऊएऐओऔकखगघचछजझटठडढतथदधनपफबभमयरलवशसह",
    "กขคงจฉชซญดตถทธนบปผฝพฟมยรลวศสหอ",
    "áéíóúñçãõâêôàèìòùäöüßåæøœłżźćśńęąčřžšďťňőű",
    "աբգդեզէըթժիլխծկհձղճմյնշոչպջռսվտրցւփքօֆ",
]
EMOJI = "😀😂🥰😎🤖👻🐶🐱🦊🐻🐼🐸🐙🦄🐝🌸🌈⭐🔥❄🎉🎸🚀🍕🍎🍓☕💎💜💚⚡🌍🎲🏆"
MONTHS = word_list("January|February|March|April|May|June|July|August|September|October|November|December")
DAYS = word_list("Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday")
