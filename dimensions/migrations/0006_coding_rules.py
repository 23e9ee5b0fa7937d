# Coding rules, walled like every golden table, and which chart is booked in.

import django.db.models.deletion
import simple_history.models
import uuid
from django.conf import settings
from django.db import migrations, models

from mdm.models import guards

TABLES = ("codingrule", "codingrulecondition")


class Migration(migrations.Migration):

    dependencies = [
        ('dimensions', '0005_tax_code_mapping_guards'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='CodingRule',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uid', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('code', models.CharField(max_length=40, unique=True)),
                ('status', models.CharField(choices=[('active', 'Active'), ('blocked', 'Blocked'), ('retired', 'Retired'), ('merged', 'Merged')], default='active', max_length=10)),
                ('version', models.PositiveIntegerField(default=1)),
                ('merged_into', models.UUIDField(blank=True, null=True)),
                ('search_text', models.TextField(blank=True, editable=False)),
                ('created_at', models.DateTimeField()),
                ('updated_at', models.DateTimeField()),
                ('name', models.CharField(max_length=200)),
                ('message', models.CharField(max_length=2000)),
                ('valid_from', models.DateField(blank=True, null=True)),
                ('valid_to', models.DateField(blank=True, null=True)),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='ChartUse',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('system', models.CharField(blank=True, max_length=40)),
                ('legal_entity', models.CharField(blank=True, max_length=40)),
                ('chart', models.CharField(max_length=40)),
            ],
            options={
                'verbose_name': 'chart in use',
                'verbose_name_plural': 'charts in use',
                'ordering': ['system', 'legal_entity'],
                'constraints': [models.UniqueConstraint(fields=('system', 'legal_entity'), name='one_chart_per_use')],
            },
        ),
        migrations.CreateModel(
            name='CodingRuleCondition',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uid', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('position', models.PositiveSmallIntegerField(default=0)),
                ('side', models.CharField(max_length=4)),
                ('dimension', models.CharField(max_length=40)),
                ('test', models.CharField(default='codes', max_length=9)),
                ('codes', models.CharField(blank=True, max_length=2000, null=True)),
                ('record', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='conditions', to='dimensions.codingrule')),
            ],
            options={
                'ordering': ['position', 'id'],
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='HistoricalCodingRule',
            fields=[
                ('id', models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name='ID')),
                ('uid', models.UUIDField(db_index=True, default=uuid.uuid4, editable=False)),
                ('code', models.CharField(db_index=True, max_length=40)),
                ('status', models.CharField(choices=[('active', 'Active'), ('blocked', 'Blocked'), ('retired', 'Retired'), ('merged', 'Merged')], default='active', max_length=10)),
                ('version', models.PositiveIntegerField(default=1)),
                ('merged_into', models.UUIDField(blank=True, null=True)),
                ('created_at', models.DateTimeField()),
                ('updated_at', models.DateTimeField()),
                ('name', models.CharField(max_length=200)),
                ('message', models.CharField(max_length=2000)),
                ('valid_from', models.DateField(blank=True, null=True)),
                ('valid_to', models.DateField(blank=True, null=True)),
                ('history_id', models.AutoField(primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_change_reason', models.TextField(null=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
                ('history_user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'historical coding rule',
                'verbose_name_plural': 'historical coding rules',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='HistoricalCodingRuleCondition',
            fields=[
                ('id', models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name='ID')),
                ('uid', models.UUIDField(db_index=True, default=uuid.uuid4, editable=False)),
                ('position', models.PositiveSmallIntegerField(default=0)),
                ('side', models.CharField(max_length=4)),
                ('dimension', models.CharField(max_length=40)),
                ('test', models.CharField(default='codes', max_length=9)),
                ('codes', models.CharField(blank=True, max_length=2000, null=True)),
                ('history_id', models.AutoField(primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_change_reason', models.TextField(null=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
                ('history_user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('record', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='dimensions.codingrule')),
            ],
            options={
                'verbose_name': 'historical coding rule condition',
                'verbose_name_plural': 'historical coding rule conditions',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        *(guards.golden(f"dimensions_{table}") for table in TABLES),
        *(guards.golden(f"dimensions_historical{table}") for table in TABLES),
        *(guards.append_only(f"dimensions_historical{table}") for table in TABLES),
    ]
