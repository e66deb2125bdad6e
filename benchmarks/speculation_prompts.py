# ruff: noqa: E501 - what is asked has the lines it has
"""What the speculation benchmark asks: three kinds of conversation, by how much of an answer stands in its prompt."""

_LETTER = """Dear Mrs. Hartmann,

thank you for your letter of the third of May. We are very sorry that the washing machine which you bought from us in
February has broken down for the second time. Our technician, Mr. Olsen, will visit you on Tuesday between nine and
twelve o'clock. He will bring a new pump and a new door seal. If the machine can not be repaired on that day, we will
replace it with a new one of the same model, and you will not have to pay anything for the delivery. Please keep the
receipt ready, because Mr. Olsen has to write down its number. If the appointment does not suit you, call us on any
working day before six o'clock in the evening.

With kind regards,
Ingrid Sommer, customer service"""

_CODE = '''def read_prices(path):
    """Read a file of names and prices, one pair on each line."""
    prices = {}
    with open(path) as file:
        for line in file:
            name, price = line.strip().split(",")
            prices[name] = float(price)
    return prices


def total_price(prices, basket):
    """Add up the prices of everything in the basket."""
    total = 0.0
    for name, count in basket.items():
        total = total + prices[name] * count
    return total


def print_receipt(prices, basket):
    """Print one line for each thing in the basket, and the total."""
    for name, count in basket.items():
        print(name, count, prices[name] * count)
    print("total", total_price(prices, basket))'''

_ISLAND = """The lighthouse on Brannoch Island was built between 1846 and 1851 by the engineer Thomas Kerr. It is forty-one
metres high and its light can be seen from a distance of thirty kilometres. For more than a hundred years three keepers
lived on the island at the same time, each for eight weeks, followed by four weeks on the mainland. Supplies came by boat
every second Thursday, if the weather allowed it. In the winter of 1893 the boat could not land for thirty-seven days, and
the keepers lived on fish, oatmeal and the eggs of sea birds. The first light burned rapeseed oil; paraffin came in 1875
and electricity in 1962. The last keeper, Alasdair Munro, left on the thirtieth of September 1988, when the light was made
automatic. Since 2004 the old house of the keepers has been a small museum, which is open from May to September. About
six thousand people visit it in a year. They come with the ferry from Port Lorne, which takes fifty minutes. Dogs are not
allowed on the island, because puffins and storm petrels breed in the grass near the landing place."""

_NOTES = """Minutes of the meeting of the garden club, twelfth of March. Present: Anna Weber, Jonas Lind, Priya Nair, Tom
Okafor. Anna reported that the club has eighty-four members, nine more than last year. The fee stays at twenty euros.
Jonas said that the water pump near the eastern gate leaks and that a new one costs three hundred and forty euros. It was
decided to buy the new pump before the end of April. Priya proposed a plant market on the second Saturday of May, from
ten to four o'clock. Tom will ask the school whether the tables of the dining hall can be borrowed. The compost is to be
turned on the last Sunday of March; everybody who has a fork should bring it. Tom asked for a rule about dogs; it was
decided that dogs may come on a lead. The next meeting is on the ninth of April at seven o'clock in the evening."""

EDITS = (
    f"Correct the style of this letter, and repeat the whole letter with your changes:\n\n{_LETTER}",
    f"Rename the variable `prices` to `price_list` in this program and print the whole program again:\n\n{_CODE}",
    f"Repeat this text word for word, but write all years as '18xx' or '19xx':\n\n{_ISLAND}",
    f"Turn these minutes into a list with one bullet point for each sentence, quoting each sentence:\n\n{_NOTES}",
)
QUESTIONS = (
    f"{_ISLAND}\n\nWho built the lighthouse, how high is it, and what happened in the winter of 1893?",
    f"{_NOTES}\n\nWhat was decided at the meeting, and who has to do what?",
    f"{_LETTER}\n\nSum up this letter. What must Mrs. Hartmann do?",
    f"{_CODE}\n\nExplain step by step what each of the three functions does.",
)
TALK = (
    "I have been feeling tired lately. What could I change about my evenings?",
    "Tell me a story about a fox who wants to learn how to swim.",
    "What is the difference between baking soda and baking powder, and when do I use which?",
    "I am planning a weekend in the mountains with two friends. What should we take with us?",
)
KINDS = {"quoting and editing": EDITS, "question and answer": QUESTIONS, "free talk": TALK}
