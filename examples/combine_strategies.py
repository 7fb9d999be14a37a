"""Methods that were never combined, tried before any model is there.

JointRank's blocks find twenty candidates in one round, pairs settle their places in a few more. A noisy judge made from
judgements says whether that is worth its calls, beside windows, blocks and pairs alone.
"""

from ponderank.laboratory.cases import Cases
from ponderank.laboratory.judges import Judge
from ponderank.laboratory.named import Contender, contender
from ponderank.laboratory.simulate import Simulation
from ponderank.strategies.blocks import Blocks
from ponderank.strategies.cascade import Cascade
from ponderank.strategies.pairs import PairQuicksort
from ponderank.strategies.repeat import Repeat
from ponderank.strategies.setwise import SetwiseHeapsort

grades = {f"q{q}": {f"d{q}-{d}": grade for d, grade in enumerate([3, 2, 2, 1, 1, 1, 1, 0, 0, 0])} for q in range(10)}
judge = Judge(noise=0.3, prejudice=0.2, bias=0.3)  # some noise, some prejudice, a liking for what is shown early

blocks_then_pairs = Cascade((Blocks(size=20, replicas=2), PairQuicksort(k=10)), keep=(20,))
three_heaps = Repeat(SetwiseHeapsort(children=9), times=3, aggregate="borda")
simulation = Simulation(
    Cases(grades, k=100),
    [
        contender("window"),
        contender("jointrank"),
        contender("pair-quicksort"),
        Contender("blocks, then pairs", blocks_then_pairs, kind="order"),
        Contender("three heaps together", three_heaps, kind="choice"),
    ],
    judge,
)
simulation.run(100)
for one in simulation.standings():
    print(
        f"{one.name:22} nDCG@10 {one.ndcg.mean:.3f} ± {one.ndcg.error:.3f}   {one.calls:6.1f} calls in {one.rounds:5.1f} rounds"
    )
