from .bridge import TemplateRows as TemplateRows
from .bridge import slots_from_templates as slots_from_templates
from .bridge import templates_from_slots as templates_from_slots
from .errors import EnvironmentFaultError as EnvironmentFaultError
from .errors import ForeignFileError as ForeignFileError
from .errors import HoldfastError as HoldfastError
from .errors import MemoryFileError as MemoryFileError
from .errors import MemoryLockedError as MemoryLockedError
from .errors import MemoryWriteError as MemoryWriteError
from .errors import MissingExtraError as MissingExtraError
from .errors import NewerFileError as NewerFileError
from .errors import NotFoundError as NotFoundError
from .errors import SlotFileError as SlotFileError
from .errors import UnsupportedSpaceError as UnsupportedSpaceError
from .layer.block import BlockConfig as BlockConfig
from .layer.block import RetentionBlock as RetentionBlock
from .layer.evict import Eviction as Eviction
from .layer.evict import FirstInFirstOut as FirstInFirstOut
from .layer.evict import LeastRecentlyUsed as LeastRecentlyUsed
from .layer.evict import LeastUseful as LeastUseful
from .layer.evict import RandomEviction as RandomEviction
from .layer.files import load_layer as load_layer
from .layer.files import load_slots as load_slots
from .layer.files import load_transformer as load_transformer
from .layer.files import save_model as save_model
from .layer.files import save_slots as save_slots
from .layer.layer import RetentionConfig as RetentionConfig
from .layer.layer import RetentionLayer as RetentionLayer
from .layer.pool import ChunkPool as ChunkPool
from .layer.pool import MeanPool as MeanPool
from .layer.pool import Pool as Pool
from .layer.pool import QueryPool as QueryPool
from .layer.read import ReadInfo as ReadInfo
from .layer.read import attend as attend
from .layer.read import distance_scores as distance_scores
from .layer.read import paper_read as paper_read
from .layer.slots import SlotState as SlotState
from .layer.transformer import RetentionTransformer as RetentionTransformer
from .layer.transformer import TransformerConfig as TransformerConfig
from .layer.write import AppendWrite as AppendWrite
from .layer.write import BlendWrite as BlendWrite
from .layer.write import Candidate as Candidate
from .layer.write import Change as Change
from .layer.write import MergeWrite as MergeWrite
from .layer.write import WriteInfo as WriteInfo
from .layer.write import WriteRule as WriteRule
from .memory.episodes import CommittedEpisode as CommittedEpisode
from .memory.episodes import Episode as Episode
from .memory.episodes import EpisodeDraft as EpisodeDraft
from .memory.episodes import Feedback as Feedback
from .memory.gate import FeedbackGate as FeedbackGate
from .memory.gate import Gate as Gate
from .memory.gate import GateConfig as GateConfig
from .memory.recall import Hit as Hit
from .memory.recall import Recall as Recall
from .memory.store import EpisodicMemory as EpisodicMemory
from .memory.templates import Template as Template
from .memory.templates import TemplateDraft as TemplateDraft
from .memory.transitions import Transitions as Transitions

__all__ = [
    "AppendWrite",
    "BlendWrite",
    "BlockConfig",
    "Candidate",
    "Change",
    "ChunkPool",
    "CommittedEpisode",
    "EnvironmentFaultError",
    "Episode",
    "EpisodeDraft",
    "EpisodicMemory",
    "Eviction",
    "Feedback",
    "FeedbackGate",
    "FirstInFirstOut",
    "ForeignFileError",
    "Gate",
    "GateConfig",
    "Hit",
    "HoldfastError",
    "LeastRecentlyUsed",
    "LeastUseful",
    "MeanPool",
    "MemoryFileError",
    "MemoryLockedError",
    "MemoryWriteError",
    "MergeWrite",
    "MissingExtraError",
    "NewerFileError",
    "NotFoundError",
    "Pool",
    "QueryPool",
    "RandomEviction",
    "ReadInfo",
    "Recall",
    "RetentionBlock",
    "RetentionConfig",
    "RetentionLayer",
    "RetentionTransformer",
    "SlotFileError",
    "SlotState",
    "Template",
    "TemplateDraft",
    "TemplateRows",
    "TransformerConfig",
    "Transitions",
    "UnsupportedSpaceError",
    "WriteInfo",
    "WriteRule",
    "attend",
    "distance_scores",
    "load_layer",
    "load_slots",
    "load_transformer",
    "paper_read",
    "save_model",
    "save_slots",
    "slots_from_templates",
    "templates_from_slots",
]
