"""Moving dynos from marked hosts to fresh ones: a pure plan, and a mover that can stop and go on anywhere."""
