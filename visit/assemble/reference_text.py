"""Plain English of our own, the reference of mean ablation where no other is given.

Its means stand for what a part does when nothing in particular is going on.
"""

TEXT = """\
The town lies where two rivers meet, and most of its streets end at the water. In the morning \
the bakers open first. By seven the square smells of bread, and the buses that leave for the \
villages are already full of people who would rather sleep. A woman sells flowers beside the \
church; her mother sold them there before her, and she says that nothing has changed but the \
prices.

When I was young my uncle kept bees behind the school. He told me that a hive is never quiet, \
even in winter, if you put your ear to the wood. I did not believe him until I tried. Years \
later I read that bees keep warm by shivering, all of them together, and that those on the \
outside slowly move in while others take their place. He had known this without any book.

To make the soup, cut two onions and a carrot into small pieces and cook them in a little oil. \
Add the potatoes, some salt, and enough water to cover everything. After twenty minutes it \
should be soft. Taste it before you serve it, because potatoes need more salt than you think. If \
there is bread from yesterday, toast it.

The company said on Tuesday that sales had risen by four percent in the second quarter, less \
than analysts expected. Its shares fell in early trading but recovered later. "We are pleased \
with the result," the chief executive wrote in a letter, "and we expect demand to grow next \
year." Three factories in the north will close before the end of March.

Water boils at a lower temperature on a mountain, since the air above it weighs less. The same \
is true of other liquids. Engineers use this when they must dry something that heat would spoil: \
they lower the pressure instead. In 1824 a young officer asked how much work heat can do at \
best, and his answer, which needed no measurements at all, is still taught to every student of \
physics.

"Are you coming with us?" asked Peter. Anna looked at the sky and then at her shoes. "Only if we \
take the long way," she said, "and only if you carry the basket." They walked for an hour \
without a word. At the top of the hill they could see the lake, the railway, and far away, like \
a line drawn with a pencil, the sea. Neither of them had expected that.

If a function returns a list, check that the list is not empty before you read its first \
element. Most errors of this kind show up only when the program has run for weeks. Write a test \
for the empty case, give it a name that says what should happen, and keep it. The next person to \
change the code may be you, and you will have forgotten why it is there.

The law was passed in the spring after a long debate. It gives every child the right to a place \
in a nursery, and it obliges the cities to pay for it. Critics say that there are not enough \
teachers. The minister answered that schools would train ten thousand more within five years; \
nobody in the room asked where they were to live.
"""
