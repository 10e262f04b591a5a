from .continual import average_performance as average_performance
from .continual import backward_transfer as backward_transfer
from .continual import forgetting as forgetting
from .continual import forward_transfer as forward_transfer
from .metrics import bootstrap_interval as bootstrap_interval
from .metrics import cross_session_retention as cross_session_retention
from .metrics import curve_interval as curve_interval
from .metrics import episodes_to_threshold as episodes_to_threshold
from .metrics import improvement_interval as improvement_interval
from .metrics import interquartile_mean as interquartile_mean
from .metrics import memory_gain as memory_gain
from .metrics import normalised as normalised
from .metrics import probability_of_improvement as probability_of_improvement
from .report import Curve as Curve
from .report import Report as Report
from .report import Row as Row
from .results import Result as Result
from .results import ResultsFile as ResultsFile
from .runner import run_cases as run_cases
from .suite import Case as Case
from .suite import Suite as Suite
from .suites import find_suite as find_suite

__all__ = [
    "Case",
    "Curve",
    "Report",
    "Result",
    "ResultsFile",
    "Row",
    "Suite",
    "average_performance",
    "backward_transfer",
    "bootstrap_interval",
    "cross_session_retention",
    "curve_interval",
    "episodes_to_threshold",
    "find_suite",
    "forgetting",
    "forward_transfer",
    "improvement_interval",
    "interquartile_mean",
    "memory_gain",
    "normalised",
    "probability_of_improvement",
    "run_cases",
]
