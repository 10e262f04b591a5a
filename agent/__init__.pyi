from .adapter.people import Fact as Fact
from .adapter.people import Vocabulary as Vocabulary
from .adapter.people import asked as asked
from .adapter.people import make_facts as make_facts
from .adapter.people import make_own_facts as make_own_facts
from .adapter.people import question as question
from .adapter.people import relations as relations
from .adapter.people import statement as statement
from .agent import Agent as Agent
from .candidates import NumberedCandidates as NumberedCandidates
from .chat.block import data_block as data_block
from .chat.causal import attach_adapter as attach_adapter
from .chat.causal import load_causal as load_causal
from .chat.choosing import ScoresAnswers as ScoresAnswers
from .chat.choosing import choose_answer as choose_answer
from .chat.fact_chat import FactChat as FactChat
from .chat.local_chat import LocalChat as LocalChat
from .chat.named import make_chat_model as make_chat_model
from .chat.smollm import LocalModel as LocalModel
from .chat.smollm import load_local as load_local
from .chat.smollm import local_model_missing as local_model_missing
from .gradient.config import GradientConfig as GradientConfig
from .history import EpisodeResult as EpisodeResult
from .history import History as History
from .policies.chat import ChatConfig as ChatConfig
from .policies.chat import ChatPolicy as ChatPolicy
from .policies.gradient import GradientPolicy as GradientPolicy
from .policies.idle import IdlePolicy as IdlePolicy
from .policies.named import make_policy as make_policy
from .policies.pretrained import PretrainedPolicy as PretrainedPolicy
from .policies.protocol import ActsOnLanes as ActsOnLanes
from .policies.protocol import Experience as Experience
from .policies.protocol import Offer as Offer
from .policies.protocol import Policy as Policy
from .policies.protocol import ReadsNotes as ReadsNotes
from .policies.protocol import TakesOffers as TakesOffers
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
    "ChatConfig",
    "ChatPolicy",
    "Encoder",
    "EpisodeResult",
    "Experience",
    "Fact",
    "FactChat",
    "GradientConfig",
    "GradientPolicy",
    "History",
    "IdlePolicy",
    "LocalChat",
    "LocalModel",
    "NumberedCandidates",
    "Offer",
    "Policy",
    "PretrainedPolicy",
    "RandomProjection",
    "ReadsNotes",
    "RecallConfig",
    "Recollection",
    "RetentionPolicy",
    "ScoresAnswers",
    "TakesOffers",
    "Task",
    "Vocabulary",
    "asked",
    "attach_adapter",
    "choose_answer",
    "data_block",
    "load_causal",
    "load_local",
    "local_model_missing",
    "make_chat_model",
    "make_env",
    "make_facts",
    "make_own_facts",
    "make_policy",
    "question",
    "relations",
    "statement",
    "task_name",
]
