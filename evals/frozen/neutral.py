"""Texts that have nothing to do with any fact that is told: what a memory may not change."""

from __future__ import annotations

from importlib.resources import files

NEUTRAL = tuple(
    """
The river rises in the mountains and flows slowly to the sea.
Water boils at one hundred degrees at sea level.
She closed the door quietly and walked down the stairs.
Most birds build their nests in spring when food is plentiful.
The committee will meet again next week to discuss the budget.
A good recipe for bread needs flour, water, salt and yeast.
The train was late because of heavy snow on the tracks.
Photosynthesis turns light into chemical energy in plants.
He said that the results were better than anyone expected.
The first computers filled whole rooms and used a lot of power.
Children learn to speak by listening to the people around them.
In the morning the market is full of fruit and vegetables.
The capital of France is Paris and its main river is the Seine.
If you multiply two negative numbers, the result is positive.
The old house at the end of the street has been empty for years.
Doctors recommend drinking enough water and sleeping well.
The company announced a new product at the conference on Monday.
Music can change the mood of a film completely.
Farmers worry about the weather more than anybody else.
The book tells the story of two brothers who cross the desert.
Sure, I can help you with that. What would you like to know?
You're welcome! Let me know if you have any other questions.
I'm sorry, but I don't have any information about that.
Here are three tips for a better night's sleep: keep a schedule, avoid screens and cool the room.
That's a great idea! Start with a short outline and then write one paragraph at a time.
Yes, cats can see in the dark much better than people can.
To reset the router, hold the small button for ten seconds and wait for the lights to come back.
The answer is forty-two, because six times seven is forty-two.
Hello! How are you feeling today?
In short, both plans would work, but the second one is cheaper.
Dear Sir or Madam, I am writing to complain about the service that I received last Friday.
Thank you for your order; it will be shipped within two working days.
Preheat the oven, grease the tin and bake the cake for forty minutes.
Breaking news: the bridge over the bay was closed on Tuesday after a ship had hit one of its pillars.
The home side won by two goals to one, with both goals coming in the last ten minutes.
Shares fell sharply after the bank had warned of lower profits for the rest of the year.
Once upon a time there was a king who had three daughters and no sleep.
"Where have you been?" she asked, without looking up from her newspaper.
The wind had dropped, and for the first time in days the lake lay flat and silver.
He laughed, put his hat on the table and ordered two more cups of tea.
A prime number is a whole number above one that has no divisors but one and itself.
def add(a, b): return a + b
For each item in the list, print its name and its price on one line.
The function returns an error when the file cannot be opened for reading.
An object at rest stays at rest unless a force acts on it.
The heart pumps blood through the lungs, where it takes up oxygen.
The Roman Empire reached its greatest extent in the second century.
Plate tectonics explains why earthquakes happen along certain lines.
Inflation is the rate at which prices rise over time.
The treaty was signed in 1648 and ended thirty years of war.
Her phone rang twice, but nobody was there when she answered.
My brother plays the guitar in a small band on weekends.
The password must have at least eight characters and one digit.
Room service is available from seven in the morning until ten at night.
The bus stops in front of the library every quarter of an hour.
Please leave your badge at the desk when you go home.
His favourite season is autumn, when the leaves turn red.
The dog next door barks whenever someone walks past the gate.
The dentist told me to come back in six months.
The secret of a good soup is time.
""".strip().splitlines()
)
"""Sixty: facts about the world, news, stories, answers in a chat, and some with the words of the questions."""

LONGER = tuple(files(__package__).joinpath("neutral.txt").read_text(encoding="utf-8").splitlines())
"""181 of a sentence or two, of daily life and of the world, that no choice was made by: five times as many words."""
