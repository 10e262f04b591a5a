from .agent import Agent as Agent
from .candidates import NumberedCandidates as NumberedCandidates
from .gradient.config import GradientConfig as GradientConfig
from .history import EpisodeResult as EpisodeResult
from .history import History as History
from .policies.gradient import GradientPolicy as GradientPolicy
from .policies.idle import IdlePolicy as IdlePolicy
from .policies.named import make_policy as make_policy
from .policies.pretrained import PretrainedPolicy as PretrainedPolicy
from .policies.protocol import ActsOnLanes as ActsOnLanes
from .policies.protocol import Experience as Experience
from .policies.protocol import Policy as Policy
from .policies.protocol import Task as Task
from .policies.retention import RetentionPolicy as RetentionPolicy
from .recall.config import RecallConfig as RecallConfig
from .recall.image_encoder import Encoder as Encoder
from .recall.image_encoder import RandomProjection as RandomProjection
from .recall.retrieval import Recollection as Recollection
from .tasks import make_env as make_env
from .tasks import task_name as task_name

__all__ = [
    "ActsOnLanes",
    "Agent",
    "Encoder",
    "EpisodeResult",
    "Experience",
    "GradientConfig",
    "GradientPolicy",
    "History",
    "IdlePolicy",
    "NumberedCandidates",
    "Policy",
    "PretrainedPolicy",
    "RandomProjection",
    "RecallConfig",
    "Recollection",
    "RetentionPolicy",
    "Task",
    "make_env",
    "make_policy",
    "task_name",
]
