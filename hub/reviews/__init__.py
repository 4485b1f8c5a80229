"""Reviews: what people say afterwards of writes that nobody approved, by broken glass or by policy alone."""

from hub.reviews.keeping import (
    begin_review,
    conclude_review,
    disputes_since,
    get_review,
    is_disputed,
    is_reviewer,
    last_look,
    put_look,
    put_review,
    review_of_approval,
    unreviewed_glass,
    waiting_for,
)
from hub.reviews.values import Look, NewReview, Review, ReviewKind, Verdict, is_drawn

__all__ = [
    "Look",
    "NewReview",
    "Review",
    "ReviewKind",
    "Verdict",
    "begin_review",
    "conclude_review",
    "disputes_since",
    "get_review",
    "is_disputed",
    "is_drawn",
    "is_reviewer",
    "last_look",
    "put_look",
    "put_review",
    "review_of_approval",
    "unreviewed_glass",
    "waiting_for",
]
