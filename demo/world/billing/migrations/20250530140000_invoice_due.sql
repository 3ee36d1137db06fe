-- AlterTable
ALTER TABLE "Invoice" ADD COLUMN "dueAt" TIMESTAMP(3);
