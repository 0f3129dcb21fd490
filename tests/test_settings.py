from hypothesis import HealthCheck, settings


def test_property_tests_do_not_depend_on_the_speed_of_the_machine() -> None:
    assert settings().deadline is None
    assert HealthCheck.too_slow in settings().suppress_health_check
