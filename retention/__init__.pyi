from .bridge import TemplateRows as TemplateRows
from .bridge import slots_from_templates as slots_from_templates
from .bridge import templates_from_slots as templates_from_slots
from .errors import EncoderMismatchError as EncoderMismatchError
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
from .errors import UnsupportedModelError as UnsupportedModelError
from .errors import UnsupportedSpaceError as UnsupportedSpaceError
from .fact_memory import FactMemory as FactMemory
from .fact_reading import FactReading as FactReading
from .fact_reading import FactRecall as FactRecall
from .index.choose import choose_tier as choose_tier
from .index.choose import new_table as new_table
from .index.dense import DenseTable as DenseTable
from .index.scan import ScanTable as ScanTable
from .index.table import VectorTable as VectorTable
from .index.trained import TrainedConfig as TrainedConfig
from .index.trained import TrainedTable as TrainedTable
from .layer.adapter import FactAdapter as FactAdapter
from .layer.adapter_config import AdapterConfig as AdapterConfig
from .layer.adapter_file import load_adapter as load_adapter
from .layer.adapter_file import rounded_adapter as rounded_adapter
from .layer.adapter_file import save_adapter as save_adapter
from .layer.attach import Handle as Handle
from .layer.attach import attach as attach
from .layer.attach import config_for as config_for
from .layer.block import BlockConfig as BlockConfig
from .layer.block import RetentionBlock as RetentionBlock
from .layer.config import RetentionConfig as RetentionConfig
from .layer.diagnose import Finding as Finding
from .layer.diagnose import diagnose as diagnose
from .layer.evict import Eviction as Eviction
from .layer.evict import FirstInFirstOut as FirstInFirstOut
from .layer.evict import LeastRecentlyUsed as LeastRecentlyUsed
from .layer.evict import LeastUseful as LeastUseful
from .layer.evict import RandomEviction as RandomEviction
from .layer.fact_slots import FactSlots as FactSlots
from .layer.fact_text import fact_text as fact_text
from .layer.files import load_layer as load_layer
from .layer.files import load_slots as load_slots
from .layer.files import load_transformer as load_transformer
from .layer.files import save_model as save_model
from .layer.files import save_slots as save_slots
from .layer.frozen_base import decoder_layers as decoder_layers
from .layer.frozen_base import output_embeddings as output_embeddings
from .layer.frozen_read import TokenRecall as TokenRecall
from .layer.frozen_read import Trace as Trace
from .layer.index import IndexConfig as IndexConfig
from .layer.index import SlotIndex as SlotIndex
from .layer.index import exact_top as exact_top
from .layer.layer import RetentionLayer as RetentionLayer
from .layer.pool import ChunkPool as ChunkPool
from .layer.pool import MeanPool as MeanPool
from .layer.pool import Pool as Pool
from .layer.pool import QueryPool as QueryPool
from .layer.product_keys import ProductKeyConfig as ProductKeyConfig
from .layer.product_keys import ProductKeyMemory as ProductKeyMemory
from .layer.read import attend as attend
from .layer.read import distance_scores as distance_scores
from .layer.read import paper_read as paper_read
from .layer.read_info import ReadInfo as ReadInfo
from .layer.rules import AppendWrite as AppendWrite
from .layer.rules import BlendWrite as BlendWrite
from .layer.rules import Change as Change
from .layer.rules import MergeWrite as MergeWrite
from .layer.rules import Offer as Offer
from .layer.rules import WriteRule as WriteRule
from .layer.sealed import read_sealed as read_sealed
from .layer.sealed import write_sealed as write_sealed
from .layer.slots import SlotState as SlotState
from .layer.transformer import RetentionTransformer as RetentionTransformer
from .layer.transformer import TransformerConfig as TransformerConfig
from .layer.write import WriteInfo as WriteInfo
from .memory.audit import Audit as Audit
from .memory.audit import AuditEntry as AuditEntry
from .memory.encoder import Encoder as Encoder
from .memory.encoder import FunctionEncoder as FunctionEncoder
from .memory.encoder import SentenceEncoder as SentenceEncoder
from .memory.encoder import default_encoder as default_encoder
from .memory.episodes import CommittedEpisode as CommittedEpisode
from .memory.episodes import Episode as Episode
from .memory.episodes import EpisodeDraft as EpisodeDraft
from .memory.episodes import Feedback as Feedback
from .memory.fact_rows import FactRow as FactRow
from .memory.fact_store import Rated as Rated
from .memory.forgetting import Forgotten as Forgotten
from .memory.forgetting import Trimmed as Trimmed
from .memory.gate import FeedbackGate as FeedbackGate
from .memory.gate import Gate as Gate
from .memory.gate import GateConfig as GateConfig
from .memory.importing import Imported as Imported
from .memory.items import Item as Item
from .memory.items import ItemDraft as ItemDraft
from .memory.items import ItemHit as ItemHit
from .memory.items import ItemRecall as ItemRecall
from .memory.ranking import RankingConfig as RankingConfig
from .memory.recall import Hit as Hit
from .memory.recall import Recall as Recall
from .memory.receipts import Receipt as Receipt
from .memory.reembedding import Reembedded as Reembedded
from .memory.ridge import Refitted as Refitted
from .memory.rollback import RolledBack as RolledBack
from .memory.runs import Note as Note
from .memory.runs import Noted as Noted
from .memory.runs import NoteRule as NoteRule
from .memory.runs import Run as Run
from .memory.store import EpisodicMemory as EpisodicMemory
from .memory.templates import Template as Template
from .memory.templates import TemplateDraft as TemplateDraft
from .memory.transfer import Exported as Exported
from .memory.transitions import Transitions as Transitions
from .memory.upkeep import Compacted as Compacted
from .memory.writing import WriteReport as WriteReport
from .sentences import is_statement as is_statement
from .sentences import only_states as only_states
from .sentences import sentences as sentences
from .tools.byte_store import MemoryByteStore as MemoryByteStore
from .tools.caller import Caller as Caller
from .tools.config import Guard as Guard
from .tools.config import ToolConfig as ToolConfig
from .tools.graph_store import LangGraphStore as LangGraphStore
from .tools.langchain_tools import langchain_tools as langchain_tools
from .tools.mcp_server import mcp_server as mcp_server
from .tools.memory_tools import MemoryTools as MemoryTools
from .tools.middleware import MemoryMiddleware as MemoryMiddleware
from .tools.quoting import quoted as quoted
from .tools.retriever import MemoryRetriever as MemoryRetriever
from .tools.vector_store import MemoryVectorStore as MemoryVectorStore

__all__ = [
    "AdapterConfig",
    "AppendWrite",
    "Audit",
    "AuditEntry",
    "BlendWrite",
    "BlockConfig",
    "Caller",
    "Change",
    "ChunkPool",
    "CommittedEpisode",
    "Compacted",
    "DenseTable",
    "Encoder",
    "EncoderMismatchError",
    "EnvironmentFaultError",
    "Episode",
    "EpisodeDraft",
    "EpisodicMemory",
    "Eviction",
    "Exported",
    "FactAdapter",
    "FactMemory",
    "FactReading",
    "FactRecall",
    "FactRow",
    "FactSlots",
    "Feedback",
    "FeedbackGate",
    "Finding",
    "FirstInFirstOut",
    "ForeignFileError",
    "Forgotten",
    "FunctionEncoder",
    "Gate",
    "GateConfig",
    "Guard",
    "Handle",
    "Hit",
    "HoldfastError",
    "Imported",
    "IndexConfig",
    "Item",
    "ItemDraft",
    "ItemHit",
    "ItemRecall",
    "LangGraphStore",
    "LeastRecentlyUsed",
    "LeastUseful",
    "MeanPool",
    "MemoryByteStore",
    "MemoryFileError",
    "MemoryLockedError",
    "MemoryMiddleware",
    "MemoryRetriever",
    "MemoryTools",
    "MemoryVectorStore",
    "MemoryWriteError",
    "MergeWrite",
    "MissingExtraError",
    "NewerFileError",
    "NotFoundError",
    "Note",
    "NoteRule",
    "Noted",
    "Offer",
    "Pool",
    "ProductKeyConfig",
    "ProductKeyMemory",
    "QueryPool",
    "RandomEviction",
    "RankingConfig",
    "Rated",
    "ReadInfo",
    "Recall",
    "Receipt",
    "Reembedded",
    "Refitted",
    "RetentionBlock",
    "RetentionConfig",
    "RetentionLayer",
    "RetentionTransformer",
    "RolledBack",
    "Run",
    "ScanTable",
    "SentenceEncoder",
    "SlotFileError",
    "SlotIndex",
    "SlotState",
    "Template",
    "TemplateDraft",
    "TemplateRows",
    "TokenRecall",
    "ToolConfig",
    "Trace",
    "TrainedConfig",
    "TrainedTable",
    "TransformerConfig",
    "Transitions",
    "Trimmed",
    "UnsupportedModelError",
    "UnsupportedSpaceError",
    "VectorTable",
    "WriteInfo",
    "WriteReport",
    "WriteRule",
    "attach",
    "attend",
    "choose_tier",
    "config_for",
    "decoder_layers",
    "default_encoder",
    "diagnose",
    "distance_scores",
    "exact_top",
    "fact_text",
    "is_statement",
    "langchain_tools",
    "load_adapter",
    "load_layer",
    "load_slots",
    "load_transformer",
    "mcp_server",
    "new_table",
    "only_states",
    "output_embeddings",
    "paper_read",
    "quoted",
    "read_sealed",
    "rounded_adapter",
    "save_adapter",
    "save_model",
    "save_slots",
    "sentences",
    "slots_from_templates",
    "templates_from_slots",
    "write_sealed",
]
